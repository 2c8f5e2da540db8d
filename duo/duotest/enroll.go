package duotest

import (
	"fmt"
	"strconv"
	"time"

	"github.com/radmfa/radmfa/duo"
)

// enrollment is a new user that has no phone yet.
type enrollment struct {
	username string
	userID   string
	expires  time.Time // by time.Now
	done     bool
}

func (s *Service) enroll(c *Call) (any, *failure) {
	valid := int64(24 * 60 * 60)
	if secs := c.Params.Get("valid_secs"); secs != "" {
		var err error
		if valid, err = strconv.ParseInt(secs, 10, 32); err != nil || valid <= 0 {
			return nil, invalid("valid_secs")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	name := c.Params.Get("username")
	if name == "" {
		name = fmt.Sprintf("user%d", s.serial)
	}
	if s.Users[name] != nil {
		return nil, invalid("username already exists")
	}
	e := &enrollment{
		username: name,
		userID:   (&User{}).id(name),
		expires:  time.Now().Add(time.Duration(valid) * time.Second),
	}
	code := fmt.Sprintf("duo://activation-%d", s.serial)
	if s.enrollments == nil {
		s.enrollments = make(map[string]*enrollment)
	}
	s.enrollments[code] = e
	return map[string]any{
		"username":           e.username,
		"user_id":            e.userID,
		"activation_code":    code,
		"activation_barcode": "https://" + DefaultHost + "/frame/qr?value=" + strconv.Itoa(s.serial),
		"expiration":         e.expires.Add(s.Skew).Unix(),
	}, nil
}

func (s *Service) enrollStatus(c *Call) (any, *failure) {
	id, code := c.Params.Get("user_id"), c.Params.Get("activation_code")
	switch {
	case id == "":
		return nil, missing("user_id")
	case code == "":
		return nil, missing("activation_code")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.enrollments[code]
	switch {
	case e == nil || e.userID != id:
		return duo.EnrollInvalid, nil
	case e.done:
		return duo.EnrollSuccess, nil
	case time.Now().After(e.expires):
		return duo.EnrollInvalid, nil
	}
	return duo.EnrollWaiting, nil
}

// Activate is what a new user does with the activation code: it adds the user,
// with a smartphone, to Users. It reports whether the code was good.
func (s *Service) Activate(code duo.Secret) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.enrollments[string(code)]
	if e == nil || e.done || time.Now().After(e.expires) {
		return false
	}
	e.done = true
	if s.Users == nil {
		s.Users = make(map[string]*User)
	}
	s.Users[e.username] = new(User)
	return true
}
