// Package chromiumtest drives Chromium for tests of pages: it opens them, clicks
// and types as a person does, and looks at what is shown. It speaks the DevTools
// protocol over a pipe (--remote-debugging-pipe), which takes no port, no
// WebSocket, and so no module but the standard library's.
package chromiumtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// patience is how long the browser may take for a command, and a page for what
// is awaited.
const patience = 30 * time.Second

// Browser is a running Chromium.
type Browser struct {
	cmd  *exec.Cmd
	dir  string
	out  *os.File      // commands
	quit chan struct{} // closed when nothing is read any more

	mu       sync.Mutex
	id       int
	waiting  map[int]chan message // by the id of a command
	listener map[string]func(message)
	dead     error
}

// message is a command, its result, or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
		Data    string `json:"data"`
	} `json:"error,omitempty"`
}

// Start starts a browser that ends with the test. Without Chromium on this
// machine the test is skipped, or fails where RADMFA_CONFORMANCE is "require".
func Start(tb testing.TB) *Browser {
	tb.Helper()
	program := find(tb)
	b := &Browser{
		quit: make(chan struct{}), waiting: make(map[int]chan message), listener: make(map[string]func(message)),
	}
	if err := b.run(program); err != nil {
		tb.Fatal("chromiumtest: ", errors.Join(err, os.RemoveAll(b.dir)))
	}
	tb.Cleanup(func() {
		if err := b.close(); err != nil {
			tb.Error("chromiumtest: ", err)
		}
	})
	return b
}

func find(tb testing.TB) string {
	tb.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const text = "Chromium is not installed: apt-get install --no-install-recommends chromium fonts-dejavu-core"
	if os.Getenv("RADMFA_CONFORMANCE") == "require" {
		tb.Fatal(text)
	}
	tb.Skip(text)
	return ""
}

func (b *Browser) run(program string) error {
	// Not that of the test: processes of the browser may still write to it when
	// the first of them has ended.
	dir, err := os.MkdirTemp("", "chromiumtest")
	if err != nil {
		return err
	}
	b.dir = dir
	in, browserIn, err := os.Pipe()
	if err != nil {
		return err
	}
	browserOut, out, err := os.Pipe()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	args := []string{
		"--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + filepath.Join(dir, "profile"),
		"--no-first-run", "--no-default-browser-check", "--disable-gpu", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--force-color-profile=srgb", "--font-render-hinting=none", "--hide-scrollbars",
		"--disable-features=IsolateSandboxedIframes", // a process of its own would be a target of its own
	}
	if os.Getuid() == 0 {
		args = append(args, "--no-sandbox") // Chromium refuses to run as root with it
	}
	b.cmd = exec.Command(program, append(args, "about:blank")...)
	b.cmd.ExtraFiles = []*os.File{browserOut, browserIn} // its descriptors 3 and 4
	b.cmd.Stdout, b.cmd.Stderr = log, log
	ownGroup(b.cmd)
	err = b.cmd.Start()
	for _, f := range []*os.File{browserOut, browserIn, log} {
		_ = f.Close()
	}
	if err != nil {
		return errors.Join(err, in.Close(), out.Close())
	}
	b.out = out
	go b.read(in)
	return nil
}

// close ends the browser and all its processes, and removes its files.
func (b *Browser) close() error {
	killGroup(b.cmd)
	_ = b.cmd.Wait()
	_ = b.out.Close()
	<-b.quit
	var err error
	for range 50 {
		if err = os.RemoveAll(b.dir); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// read hands out results and events until the browser ends.
func (b *Browser) read(in io.ReadCloser) {
	defer close(b.quit)
	defer func() { _ = in.Close() }()
	var buffered []byte
	chunk := make([]byte, 1<<16)
	for {
		n, err := in.Read(chunk)
		buffered = append(buffered, chunk[:n]...)
		for {
			text, rest, whole := bytes.Cut(buffered, []byte{0})
			if !whole {
				break
			}
			var m message
			if json.Unmarshal(text, &m) == nil {
				b.dispatch(m)
			}
			buffered = rest
		}
		if err != nil {
			b.end()
			return
		}
	}
}

func (b *Browser) dispatch(m message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.ID != 0 {
		if c := b.waiting[m.ID]; c != nil {
			c <- m
		}
		delete(b.waiting, m.ID)
		return
	}
	if listen := b.listener[m.Session]; listen != nil {
		listen(m)
	}
}

func (b *Browser) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	said, _ := os.ReadFile(filepath.Join(b.dir, "log"))
	b.dead = fmt.Errorf("the browser has ended: %s", said)
	for id, c := range b.waiting {
		delete(b.waiting, id)
		close(c)
	}
}

// call runs a command; result may be nil.
func (b *Browser) call(session, method string, params, result any) error {
	encoded, err := json.Marshal(params)
	if err != nil {
		return err
	}
	reply := make(chan message, 1)
	b.mu.Lock()
	b.id++
	id := b.id
	err = b.dead
	if err == nil {
		b.waiting[id] = reply
		var command []byte
		if command, err = json.Marshal(message{ID: id, Session: session, Method: method, Params: encoded}); err == nil {
			_, err = b.out.Write(append(command, 0))
		}
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m, ok := <-reply:
		switch {
		case !ok:
			return fmt.Errorf("%s: the browser has ended", method)
		case m.Error != nil:
			return fmt.Errorf("%s: %s %s", method, m.Error.Message, m.Error.Data)
		case result != nil:
			return json.Unmarshal(m.Result, result)
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s: no reply within %s", method, patience)
	}
}
