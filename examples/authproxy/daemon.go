package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
	"github.com/radmfa/radmfa/radius"
)

// daemon is the running program.
type daemon struct {
	path     string
	stdout   io.Writer
	metrics  *metrics
	recorder *status.Recorder
	peers    peers
	stale    bool // the last reload failed
	stopping atomic.Bool
	failed   chan error     // a listener that cannot go on
	running  sync.WaitGroup // listeners, and instances that are replaced
	stop     context.CancelFunc
	stopped  context.Context // ends when waiting requests are to be rejected

	mu        sync.Mutex
	file      *config.File
	logs      *logs
	web       *web
	page      *window
	socket    *window
	reloaded  *status.Reload       // nil: not yet
	listeners map[string]*listener // by configured address
	// stores keep the challenges of a section over reloads.
	stores map[string]*challenge.MemoryStore
}

func newDaemon(path string, stdout io.Writer) *daemon {
	d := &daemon{
		path:      path,
		stdout:    &serialWriter{w: stdout},
		metrics:   newMetrics(),
		recorder:  &status.Recorder{},
		failed:    make(chan error, 1),
		listeners: map[string]*listener{},
		stores:    map[string]*challenge.MemoryStore{},
	}
	d.stopped, d.stop = context.WithCancel(context.Background())
	d.metrics.registry.MustRegister(collector{d}, redisHealth{d.current})
	return d
}

// current returns the listeners.
func (d *daemon) current() []*listener {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*listener, 0, len(d.listeners))
	for _, l := range d.listeners {
		list = append(list, l)
	}
	return list
}

// plan is a configuration that can be put to work at once.
type plan struct {
	file      *config.File
	logs      *logs // the running ones where [main] is unchanged
	instances map[string]*instance
	conns     map[string]net.PacketConn // of the addresses that are new
	web       *web                      // the running one where its address is unchanged
	page      *window                   // as web
	socket    *window                   // as web
	built     []*instance
}

// load reads the file and puts it to work, at start and at a reload. When it
// fails, everything stays as it was.
func (d *daemon) load() error {
	file, err := config.Load(d.path)
	if err != nil {
		return err
	}
	p := &plan{file: file, instances: map[string]*instance{}, conns: map[string]net.PacketConn{}}
	if err := d.prepare(p); err != nil {
		d.discard(p)
		return err
	}
	d.apply(p)
	return nil
}

// prepare does all that can fail.
func (d *daemon) prepare(p *plan) (err error) {
	sameMain := d.file != nil && d.file.Main.Equal(p.file.Main) && d.file.LogDir() == p.file.LogDir()
	p.logs, p.web = d.logs, d.web
	if !sameMain {
		if p.logs, err = openLogs(p.file, d.stdout); err != nil {
			return err
		}
	}
	if err := d.build(p, sameMain); err != nil {
		return err
	}
	return errors.Join(d.listen(p), d.listenWeb(p), d.listenStatus(p))
}

// listen opens the sockets that are new, and tells of all that cannot be.
func (d *daemon) listen(p *plan) error {
	var problems config.Problems
	for _, s := range p.file.Servers {
		addr := s.Listen(p.file.Main)
		if d.listeners[addr] != nil {
			continue
		}
		conn, err := net.ListenPacket("udp", addr)
		if err != nil {
			key := "port"
			if errors.Is(err, syscall.EADDRNOTAVAIL) {
				key = "interface"
			}
			problems = append(problems, config.Problem{File: p.file.Path, Line: s.LineOf(key), Section: s.Name, Key: key, Text: d.explain(addr, err)})
			continue
		}
		p.conns[addr] = conn
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// listenWeb opens the socket of the metrics, where it is new.
func (d *daemon) listenWeb(p *plan) (err error) {
	addr := p.file.Main.Text("metrics_address")
	if d.web != nil && d.web.addr == addr {
		return nil
	}
	if p.web, err = listenWeb(addr); err == nil {
		return nil
	}
	hint := socketHint(addr, err)
	if d.web != nil && samePort(addr, d.web.addr) {
		hint = fmt.Sprintf("this process listens on %s; another address with the same port takes a restart", d.web.addr)
	}
	return mainProblem(p.file, "metrics_address", withHint(err, hint))
}

// build makes the instances. A section that says the same as before keeps its
// own, and with it what that remembers.
func (d *daemon) build(p *plan, sameMain bool) error {
	var changed []*config.Section
	for _, s := range p.file.Servers {
		addr := s.Listen(p.file.Main)
		if l := d.listeners[addr]; sameMain && l != nil && l.instance().section.Equal(s) {
			p.instances[addr] = l.instance()
			continue
		}
		changed = append(changed, s)
	}
	file := *p.file
	file.Servers = changed
	var err error
	p.built, err = buildAll(&file, d.surroundings(p.logs))
	for _, i := range p.built {
		p.instances[i.section.Listen(p.file.Main)] = i
	}
	return err
}

// explain says what is in the way of a new socket. Of this process it is the old
// one of the same port, which is open until its requests have ended.
func (d *daemon) explain(addr string, err error) string {
	for old := range d.listeners {
		if samePort(addr, old) {
			return fmt.Sprintf("%v: this process listens on %s; a change of interface takes a restart", err, old)
		}
	}
	return withHint(err, socketHint(addr, err))
}

func samePort(a, b string) bool {
	_, portA, _ := net.SplitHostPort(a)
	_, portB, _ := net.SplitHostPort(b)
	return portA == portB
}

// discard takes back what prepare did.
func (d *daemon) discard(p *plan) {
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	closeAll(p.built)
	if p.web != d.web {
		p.web.close()
	}
	d.discardStatus(p)
	if p.logs != nil && p.logs != d.logs {
		_ = p.logs.close()
	}
}

// apply puts a plan to work.
func (d *daemon) apply(p *plan) {
	d.metrics.loaded(nil)
	oldLogs, oldWeb := d.logs, d.web
	var retire []func()
	d.mu.Lock()
	d.file, d.logs, d.web = p.file, p.logs, p.web
	d.forget()
	for addr, l := range d.listeners {
		i := p.instances[addr]
		if i == nil {
			delete(d.listeners, addr)
			retire = append(retire, func() { l.close(d.stopped) })
		} else if l.instance() != i {
			retire = append(retire, l.replace(i).close)
			d.recorder.Forgive(i.section.Name)
		}
	}
	for addr, conn := range p.conns {
		l := newListener(addr, p.instances[addr], d.logs.Logger, d.metrics.responded)
		d.listeners[addr] = l
		l.server.OnDrop = d.dropped(l)
		d.serve(l, conn)
	}
	d.mu.Unlock()
	d.showStatus(p)
	if oldWeb != p.web {
		oldWeb.close()
		if p.web != nil {
			p.web.serve(d)
		}
	}
	if oldLogs == p.logs {
		oldLogs = nil
	}
	d.running.Go(func() { finish(retire, oldLogs) })
}

// serve reads from conn in a goroutine of its own.
func (d *daemon) serve(l *listener, conn net.PacketConn) {
	d.logs.Info("listening", "address", conn.LocalAddr().String(), "section", l.instance().section.Name)
	d.running.Go(func() {
		if err := l.server.Serve(conn); !errors.Is(err, radius.ErrServerClosed) {
			select {
			case d.failed <- fmt.Errorf("%s: %w", l.addr, err):
			default: // another listener has failed before
			}
		}
	})
}

// forget drops what is kept of sections that are no more.
func (d *daemon) forget() {
	sections := map[string]bool{}
	for _, s := range d.file.Servers {
		sections[s.Name] = true
	}
	maps.DeleteFunc(d.stores, func(section string, _ *challenge.MemoryStore) bool { return !sections[section] })
	d.metrics.keep(sections)
	d.recorder.Keep(sections)
	d.peers.keep(sections)
}

// finish closes what was replaced. Each waits for its last request, and the logs
// wait for all.
func finish(retire []func(), oldLogs *logs) {
	var wg sync.WaitGroup
	for _, f := range retire {
		wg.Go(f)
	}
	wg.Wait()
	if oldLogs != nil {
		_ = oldLogs.close()
	}
}

// surroundings are those of instances that write to l.
func (d *daemon) surroundings(l *logs) surroundings {
	return surroundings{
		logger: l.Logger,
		store:  func(section string) challenge.Shared { return d.store(section) },
		observe: func(section string, e radmfa.Event) {
			d.metrics.observe(section, e)
			name, r := seen(e)
			if before, changed := d.peers.note(section, name, r); changed {
				tell(l.With("section", section), name, before, r, false)
			}
			if l.events == nil {
				return
			}
			if err := writeEvent(l.events, section, e); err != nil {
				l.Error("an authentication event is not written", "error", err)
			}
		},
		record: d.record,
		certificate: func(section, peer string, state tls.ConnectionState) {
			d.metrics.showed(section, peer, state)
			d.recorder.Showed(section, peer, state, time.Now())
		},
		outage: func(section string, began bool) {
			d.metrics.outOfReach(section, began)
			if !began {
				d.recorder.Answered(section, status.Service, time.Now())
			}
		},
	}
}

// store returns the store of a section.
func (d *daemon) store(section string) *challenge.MemoryStore {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stores[section] == nil {
		d.stores[section] = &challenge.MemoryStore{}
	}
	return d.stores[section]
}

// shutdown stops reading requests and waits for those in flight. They are
// rejected when ctx ends.
func (d *daemon) shutdown(ctx context.Context) {
	d.stopping.Store(true)
	defer context.AfterFunc(ctx, d.stop)()
	var wg sync.WaitGroup
	for _, l := range d.current() {
		wg.Go(func() {
			l.handOver(ctx)
			l.close(d.stopped)
		})
	}
	wg.Wait()
	d.web.close()
	d.page.close()
	d.socket.close()
	d.running.Wait()
	d.stop()
	d.logs.Info("stopped")
	_ = d.logs.close()
}

// serialWriter lets several loggers write to the same place.
type serialWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *serialWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
