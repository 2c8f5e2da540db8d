package main

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
	"github.com/radmfa/radmfa/radius"
)

// record notes an event for those who ask for the state. The running file says
// on which lines the section is now, unless that has gone.
func (d *daemon) record(s *config.Section, e radmfa.Event) {
	file := d.configuration()
	for _, running := range file.Servers {
		if running.Name == s.Name {
			s = running
		}
	}
	d.recorder.Event(e, status.Place{File: file, Section: s})
}

// configuration returns the running file.
func (d *daemon) configuration() *config.File {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.file
}

// showed notes the certificate of a peer.
func (d *daemon) showed(section, peer string, state tls.ConnectionState) {
	d.metrics.showed(section, peer, state)
	d.recorder.Showed(section, peer, state, time.Now())
}

// dropped notes what a listener dropped.
func (d *daemon) dropped(l *listener) func(radius.Drop) {
	return func(drop radius.Drop) {
		d.recorder.Drop(l.instance().section.Name, l.key, drop, time.Now())
	}
}

// noteReload remembers how a reload ended.
func (d *daemon) noteReload(err error) {
	r := &status.Reload{Time: time.Now()}
	if err != nil {
		r.Error = err.Error()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reloaded = r
}

// report returns the state, with the logins that match.
func (d *daemon) report(ctx context.Context, f status.Filter) status.Report {
	d.mu.Lock()
	file, reloaded := d.file, d.reloaded
	d.mu.Unlock()
	d.askRedis(ctx)
	now := time.Now()
	path, err := filepath.Abs(d.path)
	if err != nil {
		path = d.path
	}
	r := status.Report{
		Time: now, State: "serving", Version: buildVersion(), Build: runtime.GOOS + "/" + runtime.GOARCH + " " + runtime.Version(),
		Config: path, Node: file.Main.Text("node_name"), Started: d.metrics.start, Reload: reloaded,
		Waiting: d.recorder.Waiting(now), Minutes: d.recorder.Minutes(now), Logins: d.recorder.Logins(status.LastLogins, f),
		Certificates: d.recorder.Certificates(), Warnings: []string{},
	}
	if d.stopping.Load() {
		r.State = "stopping"
	}
	listeners := map[string]*listener{}
	for _, l := range d.current() {
		listeners[l.key] = l
	}
	for _, s := range file.Servers {
		r.Sections = append(r.Sections, d.sectionReport(s, file, listeners[listenerKey(s, file.Main)]))
	}
	r.Senders, r.OtherDrops = d.recorder.Senders()
	for i := range r.Senders {
		for _, s := range file.Servers {
			if s.Name == r.Senders[i].Section {
				status.Place{File: file, Section: s}.Advise(&r.Senders[i])
			}
		}
	}
	for _, w := range file.Warnings {
		r.Warnings = append(r.Warnings, w.String())
	}
	return r
}

func (d *daemon) sectionReport(s *config.Section, file *config.File, l *listener) status.Section {
	store := d.store(s.Name)
	r := status.Section{
		Name: s.Name, Line: s.Line, Listens: listens(s, file.Main), Service: s.APIHost(),
		Open: store.Len(), Room: store.Cap(), Peers: d.asks(s, file.Main),
	}
	if l == nil {
		return r
	}
	i := l.acquire()
	defer i.inUse.Done()
	r.ClockOffset = i.service.ClockOffset().Round(time.Second).Seconds()
	for _, server := range i.first.servers() { // of the first peer
		r.Peers[0].Servers = append(r.Peers[0].Servers, status.Server{Address: server.address, Down: server.down, Failures: server.failures})
	}
	for _, e := range l.endpoints() {
		stats := e.server.Stats()
		r.Waiting, r.Handled = r.Waiting+stats.InFlight, r.Handled+stats.Handled
		for _, n := range stats.Dropped {
			r.Dropped += n
		}
	}
	return r
}

// asks are the peers of a section.
func (d *daemon) asks(s, main *config.Section) (peers []status.Peer) {
	add := func(name, address, peer string) {
		peers = append(peers, status.Peer{Name: name, Address: address, PeerState: d.recorder.PeerState(s.Name, peer)})
	}
	if c := s.Client; c != nil && c.Kind() == config.AD {
		add("directory", strings.Join(c.Hosts("host", "port"), ", "), status.FirstFactor)
	} else if c != nil {
		var hosts []string
		for _, n := range c.Numbers("host") {
			hosts = append(hosts, net.JoinHostPort(c.Text(c.Numbered("host", n)), c.Text(c.Numbered("port", n))))
		}
		add("RADIUS servers", strings.Join(hosts, ", "), status.FirstFactor)
	}
	add("service", s.APIHost(), status.Service)
	if redis := main.Redis(); redis != nil {
		add("Redis", strings.Join(redis.Addrs, ", "), status.Redis)
	}
	return peers
}

// askRedis finds out whether Redis answers, of all sections at the same time.
func (d *daemon) askRedis(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, l := range d.current() {
		i := l.acquire()
		all.Go(func() {
			defer i.inUse.Done()
			if i.redis == nil {
				return
			}
			if err := i.redis.Client.Ping(ctx).Err(); err != nil {
				d.recorder.Peer(i.section.Name, status.Redis, status.Down, err, time.Now())
			} else {
				d.recorder.Peer(i.section.Name, status.Redis, status.Up, nil, time.Now())
			}
		})
	}
	all.Wait()
}
