package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// keyboard is where a person types: a terminal, or the lines of a file or pipe.
type keyboard struct {
	file  *os.File
	lines *bufio.Reader
	out   io.Writer
	state *term.State // of the terminal; nil: none
}

func newKeyboard(file *os.File, out io.Writer) *keyboard {
	k := &keyboard{file: file, lines: bufio.NewReader(file), out: out}
	if state, err := term.GetState(int(file.Fd())); err == nil {
		k.state = state
	}
	return k
}

// restore puts the terminal back: ctx may end while the echo is off.
func (k *keyboard) restore() {
	if k.state != nil {
		_ = term.Restore(int(k.file.Fd()), k.state)
	}
}

var (
	errNoInput     = errors.New("the input has ended")
	errInterrupted = errors.New("interrupted")
)

// ask prints the question and returns the line that is typed, or one of the errors
// above. The goroutine that reads ends with the program if ctx ends.
func (k *keyboard) ask(ctx context.Context, question string, hidden bool) (string, error) {
	if k.state == nil {
		question = strings.TrimSuffix(question, "> ")
	}
	if k.state != nil || !hidden {
		_, _ = io.WriteString(k.out, question)
	}
	type result struct {
		text string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := k.line(hidden)
		read <- result{text, err}
	}()
	select {
	case r := <-read:
		if r.err != nil || hidden && k.state != nil || !hidden && k.state == nil {
			_, _ = fmt.Fprintln(k.out) // the line end, which is not to be seen
		}
		if errors.Is(r.err, io.EOF) {
			r.err = errNoInput
		}
		return r.text, r.err
	case <-ctx.Done():
		_, _ = fmt.Fprintln(k.out)
		return "", errInterrupted
	}
}

func (k *keyboard) line(hidden bool) (string, error) {
	if hidden && k.state != nil {
		text, err := term.ReadPassword(int(k.file.Fd()))
		return string(text), err
	}
	text, err := k.lines.ReadString('\n')
	if text == "" && err != nil {
		return "", err
	}
	return strings.TrimRight(text, "\r\n"), nil
}
