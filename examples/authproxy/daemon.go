package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

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
	web       *window
	page      *window
	socket    *window
	reloaded  *status.Reload       // nil: not yet
	listeners map[string]*listener // by key
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

// spools returns the logs.
func (d *daemon) spools() []*spool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.logs == nil {
		return nil
	}
	return d.logs.spools
}

// plan is a configuration that can be put to work at once.
type plan struct {
	file      *config.File
	logs      *logs                     // the running ones where [main] is unchanged
	instances map[string]*instance      // these, and the next two, by the key of the listener
	conns     map[string]net.PacketConn // of the addresses that are new
	streams   map[string]net.Listener   // the same for TLS
	web       *window                   // the running one where its address is unchanged
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
	p := &plan{file: file, instances: map[string]*instance{}, conns: map[string]net.PacketConn{}, streams: map[string]net.Listener{}}
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
		key, l := listenerKey(s, p.file.Main), d.listeners[listenerKey(s, p.file.Main)]
		udp, tls := s.Listens(p.file.Main)
		problem := func(key string, err error, text string) {
			if errors.Is(err, syscall.EADDRNOTAVAIL) {
				key = "interface"
			}
			problems = append(problems, config.Problem{File: p.file.Path, Line: s.LineOf(key), Section: s.Name, Key: key, Text: text})
		}
		if udp != "" && l == nil {
			conn, err := net.ListenPacket("udp", udp)
			if err == nil {
				p.conns[key] = conn
			} else {
				problem("port", err, d.explain(udp, err, func(l *listener) string { return l.udp.addr }))
			}
		}
		if tls != "" && (l == nil || l.tlsAddr() != tls) {
			stream, err := net.Listen("tcp", tls)
			if err == nil {
				p.streams[key] = stream
			} else {
				problem("radsec_port", err, d.explain(tls, err, (*listener).tlsAddr))
			}
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// listenWeb opens the socket of the metrics, where it is new.
func (d *daemon) listenWeb(p *plan) (err error) {
	addr := p.file.Main.Text("metrics_address")
	if d.web != nil && d.web.at == addr {
		return nil
	}
	if p.web, err = openWindow(addr, metricsIdle); err == nil {
		return nil
	}
	hint := socketHint(addr, err)
	if d.web != nil && samePort(addr, d.web.at) {
		hint = fmt.Sprintf("this process listens on %s; another address with the same port takes a restart", d.web.at)
	}
	return mainProblem(p.file, "metrics_address", withHint(err, hint))
}

// build makes the instances. A section that says the same as before keeps its
// own, and with it what that remembers.
func (d *daemon) build(p *plan, sameMain bool) error {
	var changed []*config.Section
	for _, s := range p.file.Servers {
		key := listenerKey(s, p.file.Main)
		if l := d.listeners[key]; sameMain && l != nil && l.instance().section.Equal(s) {
			p.instances[key] = l.instance()
			continue
		}
		changed = append(changed, s)
	}
	file := *p.file
	file.Servers = changed
	var err error
	p.built, err = buildAll(&file, d.surroundings(p.logs))
	for _, i := range p.built {
		p.instances[listenerKey(i.section, p.file.Main)] = i
	}
	return err
}

// explain says what is in the way of a new socket. Of this process it is the old
// one of the same port, which is open until its requests have ended.
func (d *daemon) explain(addr string, err error, addrOf func(*listener) string) string {
	for _, l := range d.listeners {
		if old := addrOf(l); old != "" && samePort(addr, old) {
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
	for _, stream := range p.streams {
		_ = stream.Close()
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
	for key, l := range d.listeners {
		i := p.instances[key]
		if i == nil {
			delete(d.listeners, key)
			retire = append(retire, func() { l.close(d.stopped) })
		} else if l.instance() != i {
			old := l.replace(i)
			d.recorder.Forgive(i.section.Name)
			oldTLS := d.changeTLS(l, p.streams[key])
			retire = append(retire, func() {
				oldTLS.shutdown(d.stopped)
				old.close()
			})
		}
	}
	for key, i := range p.instances {
		if d.listeners[key] == nil {
			d.open(key, i, p)
		}
	}
	d.mu.Unlock()
	d.showStatus(p)
	if oldWeb != p.web {
		oldWeb.close()
		p.web.serve(d, "metrics", d.metricsHandler())
	}
	if oldLogs == p.logs {
		oldLogs = nil
	}
	d.running.Go(func() { finish(retire, oldLogs) })
}

// open makes a listener serve on the new sockets of a plan.
func (d *daemon) open(key string, i *instance, p *plan) {
	l := &listener{key: key, current: i, responded: d.metrics.responded}
	d.listeners[key] = l
	if conn := p.conns[key]; conn != nil {
		l.udp = l.newEndpoint(key, key, d.logs.Logger, d.dropped(l))
		d.serve(l, l.udp, conn.LocalAddr(), func() error { return l.udp.server.Serve(conn) })
	}
	d.changeTLS(l, p.streams[key])
}

// changeTLS makes a listener serve TLS on a new socket, if there is one, and returns
// the one that it serves no more.
func (d *daemon) changeTLS(l *listener, stream net.Listener) (old endpoint) {
	_, addr := l.instance().section.Listens(d.file.Main)
	if addr == l.tlsAddr() {
		return endpoint{}
	}
	if stream == nil { // there is to be none
		return l.setTLS(endpoint{})
	}
	e := l.newEndpoint(addr, tlsLabel(addr), d.logs.Logger, d.dropped(l))
	old = l.setTLS(e)
	d.serve(l, e, stream.Addr(), func() error { return e.server.ServeTLS(stream, l.tlsConfig()) })
	return old
}

// serve serves a socket in a goroutine of its own.
func (d *daemon) serve(l *listener, e endpoint, addr net.Addr, serve func() error) {
	d.logs.Info("listening", "address", addr.String(), "network", addr.Network(), "section", l.instance().section.Name)
	d.running.Go(func() {
		if err := serve(); !errors.Is(err, radius.ErrServerClosed) {
			select {
			case d.failed <- fmt.Errorf("%s: %w", e.label, err):
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
			if before, changed := d.notePeer(section, name, r); changed {
				tell(l.With("section", section), name, before, r, false)
			}
			if l.events == nil {
				return
			}
			if err := writeEvent(l.events, section, e); err != nil {
				l.Error("an authentication event is not written", "error", err)
			}
		},
		record:      d.record,
		certificate: d.showed,
		outage:      d.metrics.outOfReach,
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
