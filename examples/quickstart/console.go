package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/term"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
)

// input is what the person types.
type input interface {
	// line waits for the next line, without showing it if it is to be hidden. It
	// returns io.EOF after the last.
	line(hidden bool) (string, error)
	// echoes reports whether the person sees what is typed, line end included.
	echoes(hidden bool) bool
	// lineEnd is what takes the output to the start of the next line.
	lineEnd() string
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
	return newTerminal(lines, fd), func() { _ = term.Restore(fd, state) }
}

// pipe is a stdin that is no terminal.
type pipe struct{ r *bufio.Reader }

func (*pipe) echoes(bool) bool { return false }
func (*pipe) lineEnd() string  { return "\n" }

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
	fd     int
	hidden *term.Terminal // reads in raw mode: ReadPassword of term is deaf to Ctrl-D
	raw    atomic.Bool
}

func newTerminal(lines *pipe, fd int) *terminal {
	return &terminal{pipe: lines, fd: fd, hidden: term.NewTerminal(keys{lines.r}, "")}
}

func (*terminal) echoes(hidden bool) bool { return !hidden }

func (t *terminal) lineEnd() string {
	if t.raw.Load() {
		return "\r\n"
	}
	return "\n"
}

func (t *terminal) line(hidden bool) (string, error) {
	if !hidden {
		return t.pipe.line(hidden)
	}
	state, err := term.MakeRaw(t.fd)
	if err != nil {
		return "", err
	}
	t.raw.Store(true)
	text, err := t.hidden.ReadPassword("") // Ctrl-D and Ctrl-C are io.EOF
	t.raw.Store(false)
	if restoreErr := term.Restore(t.fd, state); err == nil {
		err = restoreErr
	}
	return text, err
}

// keys are read one by one, so that what is typed ahead stays for the next line,
// and echo nothing.
type keys struct{ r *bufio.Reader }

func (k keys) Read(p []byte) (int, error) { return k.r.Read(p[:min(len(p), 1)]) }

func (keys) Write(p []byte) (int, error) { return len(p), nil }

// typed is what stands in a flag.
type typed struct{ lines []string }

func (*typed) echoes(bool) bool { return false }
func (*typed) lineEnd() string  { return "\n" }

func (t *typed) line(bool) (string, error) {
	if len(t.lines) == 0 {
		return "", io.EOF
	}
	text := t.lines[0]
	t.lines = t.lines[1:]
	return text, nil
}

// demo is the program in the terminal: the world, and the person who is the VPN's
// user and has all phones.
type demo struct {
	*console
	*world
	phone   duo.Status    // what every phone says; empty: it asks
	verbose bool          // the log tells every step already
	rings   chan ring     // from the phones to the console
	over    chan struct{} // closed when the console listens no more
}

// newDemo starts the server on conn, and closes that on an error.
func newDemo(conn net.PacketConn, c *console, o *options, logger *slog.Logger) (*demo, error) {
	d := &demo{
		console: c, phone: o.phone, verbose: o.level < slog.LevelInfo,
		rings: make(chan ring), over: make(chan struct{}),
	}
	var err error
	d.world, err = newWorld(conn, d, prompt.Console{Split: true}, logger)
	return d, err
}

// close ends the phones, and then the server.
func (d *demo) close() error {
	close(d.over)
	return d.world.close()
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

func (c *console) print(text string) {
	_, _ = io.WriteString(c.out, strings.ReplaceAll(text, "\n", c.input.lineEnd()))
}

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
