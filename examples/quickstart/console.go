package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// input is what the person types.
type input interface {
	// line waits for the next line, without showing it if it is to be hidden. It
	// returns io.EOF after the last.
	line(hidden bool) (string, error)
	// echoes reports whether the person sees what is typed, line end included.
	echoes(hidden bool) bool
}

// newInput returns what comes from stdin, and a function that puts a terminal
// back as it was.
func newInput(stdin io.Reader) (in input, restore func()) {
	lines := &pipe{bufio.NewReader(stdin)}
	file, ok := stdin.(*os.File)
	if !ok {
		return lines, func() {}
	}
	fd := int(file.Fd())
	state, err := term.GetState(fd)
	if err != nil { // not a terminal
		return lines, func() {}
	}
	// Ctrl-C may come while a password is being read, with the echo off.
	return &terminal{lines, fd}, func() { _ = term.Restore(fd, state) }
}

// pipe is a stdin that is no terminal.
type pipe struct{ r *bufio.Reader }

func (*pipe) echoes(bool) bool { return false }

func (p *pipe) line(bool) (string, error) {
	text, err := p.r.ReadString('\n')
	if err != nil && text == "" {
		return "", err
	}
	return strings.TrimRight(text, "\r\n"), nil
}

// terminal is a stdin that is one.
type terminal struct {
	*pipe
	fd int
}

func (*terminal) echoes(hidden bool) bool { return !hidden }

func (t *terminal) line(hidden bool) (string, error) {
	if !hidden {
		return t.pipe.line(hidden)
	}
	text, err := term.ReadPassword(t.fd)
	return string(text), err
}

// typed is what stands in a flag.
type typed struct{ lines []string }

func (*typed) echoes(bool) bool { return false }

func (t *typed) line(bool) (string, error) {
	if len(t.lines) == 0 {
		return "", io.EOF
	}
	text := t.lines[0]
	t.lines = t.lines[1:]
	return text, nil
}

// console is the one person in front of the program. It is used by one goroutine.
type console struct {
	input input
	out   io.Writer

	// pending is where the line comes that is being read, or nil. Reading cannot
	// be cancelled: a question that is withdrawn leaves its line to the next.
	pending chan lineRead
}

type lineRead struct {
	text string
	err  error
}

// next returns a channel for the next line.
func (c *console) next(hidden bool) <-chan lineRead {
	if c.pending == nil {
		lines := make(chan lineRead, 1)
		c.pending = lines
		go func() {
			text, err := c.input.line(hidden)
			lines <- lineRead{text, err}
		}()
	}
	return c.pending
}

// took notes that the line was received, and completes what is on the screen.
func (c *console) took(l lineRead, hidden bool) {
	c.pending = nil
	switch {
	case l.err == nil && c.input.echoes(hidden):
	case hidden:
		c.print("\n")
	default:
		c.print(l.text + "\n")
	}
}

func (c *console) print(text string) { _, _ = io.WriteString(c.out, text) }

// ask asks for a line. A phone that rings comes first.
func (d *demo) ask(ctx context.Context, question string, hidden bool) (string, error) {
	for {
		d.print(question)
		select {
		case l := <-d.next(hidden):
			d.took(l, hidden)
			return l.text, l.err
		case r := <-d.rings:
			d.print("\n")
			if err := d.ring(ctx, r); err != nil {
				return "", err
			}
		case <-ctx.Done():
			d.print("\n")
			return "", ctx.Err()
		}
	}
}
