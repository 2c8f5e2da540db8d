package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/radius/radiustest"
)

// keyboard is a session in a bubble, where a minute takes no time.
type keyboard struct {
	io.Writer
	*screen
	demo *demo
}

func session(t *testing.T, test func(*testing.T, *keyboard)) {
	synctest.Test(t, func(t *testing.T) {
		network := &radiustest.Network{}
		conn, err := network.Listen("127.0.0.1:1812")
		require.NoError(t, err)
		stdin, typing := io.Pipe()
		in, restore := newInput(stdin)
		defer restore()
		k := &keyboard{Writer: typing, screen: &screen{}}
		k.demo, err = newDemo(conn, &console{input: in, out: k.screen}, &options{}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		k.demo.nas.Exchanger.Dial = network.Dialer("127.0.0.1")
		ended := make(chan error, 1)
		go func() { ended <- errors.Join(k.demo.session(t.Context()), k.demo.close()) }()
		test(t, k)
		require.NoError(t, typing.Close())
		assert.NoError(t, <-ended)
	})
}

// types waits until the program has nothing else to do.
func (k *keyboard) types(t *testing.T, text string) {
	_, err := io.WriteString(k.Writer, text)
	require.NoError(t, err)
	synctest.Wait()
}

func TestAPushThatNobodyAnswersEndsAfterAMinute(t *testing.T) {
	session(t, func(t *testing.T, k *keyboard) {
		k.types(t, "jdoe\ncorrect horse\n1\n")
		time.Sleep(59 * time.Second)
		assert.NotContains(t, k.String(), "Access-Reject")
		time.Sleep(2 * time.Second)
		assert.Contains(t, k.String(), "Approve? [y/n] \nAccess-Reject\n  Login timed out.\n\nVPN user name: ")
		assert.Len(t, k.demo.service.Transactions(), 1, "though the VPN has asked twelve times")
		k.types(t, "carol\nhunter2\n")
		assert.Contains(t, k.String(), "Access-Accept")
	})
}

func TestAPhoneRingsForALoginFromElsewhere(t *testing.T) {
	session(t, func(t *testing.T, k *keyboard) {
		elsewhere := *k.demo.nas
		elsewhere.Attributes = nil
		replies := make(chan *radiustest.Reply, 1)
		go func() {
			reply, _ := elsewhere.Login(context.WithoutCancel(t.Context()), "jdoe", "correct horse", "push")
			replies <- reply
		}()
		synctest.Wait()
		assert.Contains(t, k.String(), "VPN user name: \nPhone of jdoe: Duo Push: Login request for jdoe.\n  Approve? [y/n] ")
		k.types(t, "y\n")
		assert.True(t, (<-replies).Accepted())
		k.types(t, "carol\nhunter2\n")
		assert.Contains(t, k.String(), "[y/n] y\nVPN user name: carol\n")
	})
}

func TestAPushIsDeniedWhenTheSessionEnds(t *testing.T) {
	replies := make(chan string, 1)
	session(t, func(t *testing.T, k *keyboard) {
		go func() {
			reply, _ := k.demo.nas.Login(context.WithoutCancel(t.Context()), "jdoe", "correct horse", "push")
			replies <- reply.String()
		}()
		synctest.Wait()
	})
	assert.Equal(t, "Access-Reject: Login request denied.", <-replies)
}
