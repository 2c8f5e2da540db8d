package main

import (
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// user is somebody who can log in.
type user struct {
	name, password string
	about          string // what the second factor is
	duo            *duotest.User
}

// users returns one for each thing that can happen after the password.
func users(phone duotest.Answer) []user {
	return []user{
		{"jdoe", "correct horse", "a phone: push, call or SMS passcodes",
			&duotest.User{Devices: []duotest.Device{{Answer: phone}}}},
		{"erin", "swordfish", "a phone whose push asks for a number",
			&duotest.User{Devices: []duotest.Device{{Answer: phone}}, Verified: duotest.CodeInPreauth}},
		{"alice", "battery staple", "a token, which shows 123456",
			&duotest.User{Devices: []duotest.Device{{Kind: duotest.Token}}, Passcodes: []string{"123456"}}},
		{"bob", "open sesame", "has none yet and must enroll",
			&duotest.User{Preauth: duo.PreauthEnroll}},
		{"carol", "hunter2", "needs none: the service lets her in",
			&duotest.User{Preauth: duo.PreauthAllow}},
	}
}
