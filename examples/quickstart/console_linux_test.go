package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pty opens a terminal: what a person has, and what a program has.
func pty(t *testing.T) (person, program *os.File) {
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	ioctl := func(request uintptr, value *int32) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(value)))
		require.Zero(t, errno)
	}
	var locked, number int32
	ioctl(syscall.TIOCSPTLCK, &locked)
	ioctl(syscall.TIOCGPTN, &number)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// awaitRaw waits until the program reads keys one by one.
func awaitRaw(program *os.File) error {
	for range 500 {
		var state syscall.Termios
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, program.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&state)))
		if errno != 0 {
			return errno
		}
		if state.Lflag&syscall.ICANON == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("the program reads lines")
}

func TestCtrlDEndsASessionAtATerminal(t *testing.T) {
	const ctrlC, ctrlD = "\x03", "\x04"
	for name, c := range map[string]struct {
		before, waits, typed string
		raw                  bool
	}{
		"at the name":            {"", "VPN user name: ", ctrlD, false},
		"at the password":        {"jdoe\r", "VPN password: ", ctrlD, true},
		"Ctrl-C at the password": {"jdoe\r", "VPN password: ", ctrlC, true},
	} {
		t.Run(name, func(t *testing.T) {
			person, program := pty(t)
			_, err := person.WriteString(c.before)
			require.NoError(t, err)
			typed := make(chan error, 1)
			var once sync.Once
			stdout := &screen{waitsFor: c.waits, seen: func() {
				once.Do(func() { go func() { typed <- typeAt(person, program, c.typed, c.raw) }() })
			}}
			var stderr bytes.Buffer
			assert.Equal(t, exitAccept, run(t.Context(), nil, program, stdout, &stderr))
			assert.NoError(t, <-typed)
			assert.Regexp(t, c.waits+"\r?\n$", stdout.String())
			assert.Empty(t, stderr.String())
		})
	}
}

func typeAt(person, program *os.File, keys string, raw bool) error {
	if raw {
		if err := awaitRaw(program); err != nil {
			return err
		}
	}
	_, err := person.WriteString(keys)
	return err
}
