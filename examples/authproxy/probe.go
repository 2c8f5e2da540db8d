package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http/httptrace"
	"time"
)

const (
	// watchEvery is how often it is looked whether a peer is due.
	watchEvery = 5 * time.Second
	// probeAfter is how long nobody must have asked a peer before it is probed.
	// Each failure doubles that, up to probeAtMost: binding with a wrong password
	// every minute may lock an account of the directory.
	probeAfter  = time.Minute
	probeAtMost = 10 * time.Minute
	// clockAfter is how old what is known of the service's clock may be.
	clockAfter = 10 * time.Minute
	// probeTimeout bounds one probe.
	probeTimeout = 10 * time.Second
	// maxClockError is how far the clock may be off without a warning. The
	// service refuses what is signed some minutes off; logs and certificates are
	// checked by this machine's clock.
	maxClockError = 30 * time.Second
)

// watch probes peers that nobody asks, until ctx ends, so that what is wrong is
// known before the next login.
func (d *daemon) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		for _, l := range d.current() {
			d.probe(ctx, l)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// probe starts the probes that are due.
func (d *daemon) probe(ctx context.Context, l *listener) {
	i := l.acquire()
	defer i.inUse.Done()
	section, now := i.section.Name, time.Now()
	start := func(due bool, probe func(context.Context)) {
		if !due || ctx.Err() != nil {
			return
		}
		i.inUse.Add(1)
		d.running.Go(func() {
			defer i.inUse.Done()
			ctx, cancel := context.WithTimeout(ctx, probeTimeout)
			defer cancel()
			probe(ctx)
		})
	}
	service := d.peers.due(section, peerService, now)
	start(d.peers.due(section, peerFirstFactor, now), func(ctx context.Context) { d.probeFirstFactor(ctx, i) })
	start(service, func(ctx context.Context) { d.probeService(ctx, i) })
	start(!service && now.Sub(i.clockRead()) >= clockAfter, func(ctx context.Context) { _ = i.readClock(ctx) })
	d.warnOfClock(i)
}

// due reports whether it is time to probe a peer, and takes it that somebody does.
func (p *peers) due(section, name string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := peer{section, name}
	r, ok := p.reports[who]
	if !ok || now.Sub(r.asked) < min(probeAfter<<min(r.bad, 8), probeAtMost) {
		return false
	}
	r.asked = now
	p.reports[who] = r
	return true
}

func (d *daemon) probeFirstFactor(ctx context.Context, i *instance) {
	r := report{is: isUnknown}
	if known, err := i.first.probe(ctx); known {
		r = firstFactorReport(err)
	}
	d.noted(ctx, i, peerFirstFactor, r)
}

func (d *daemon) probeService(ctx context.Context, i *instance) {
	ctx = tracedBy(ctx, func(state tls.ConnectionState) { d.showed(i.section.Name, peerService, state) })
	err := i.readClock(ctx)
	if err == nil {
		_, err = i.service.Check(ctx)
	}
	d.metrics.about(i.section.Name, func() { d.metrics.failed(i.section.Name, err) })
	r := serviceReport(err)
	if r.is == isUp || r.is == isRefusing {
		d.metrics.outOfReach(i.section.Name, false) // or only a login would find out
	}
	d.noted(ctx, i, peerService, r)
}

// noted notes what a probe found out, unless it was told to end.
func (d *daemon) noted(ctx context.Context, i *instance, name string, r report) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	if before, changed := d.notePeer(i.section.Name, name, r); changed {
		tell(i.server.Logger, name, before, r, true)
	}
}

// tracedBy makes calls with ctx tell of the certificates that they are shown.
func tracedBy(ctx context.Context, certificate func(tls.ConnectionState)) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			if err == nil {
				certificate(state)
			}
		},
	})
}

// readClock asks the service for its time, which requests are signed by.
func (i *instance) readClock(ctx context.Context) error {
	_, err := i.service.Ping(ctx)
	if err == nil {
		i.clockReadAt.Store(time.Now().UnixNano())
	}
	return err
}

func (i *instance) clockRead() time.Time { return time.Unix(0, i.clockReadAt.Load()) }

// warnOfClock warns of a clock that is off, once each time that it becomes so.
func (d *daemon) warnOfClock(i *instance) {
	offset := i.service.ClockOffset().Round(time.Second)
	off := offset.Abs() > maxClockError
	switch was := i.clockOff.Swap(off); {
	case off && !was:
		i.server.Logger.Warn("this machine's clock is off; requests to the service are signed by the service's, but set this one, by NTP for example",
			"off_by", offset.Abs(), "ahead", offset < 0)
	case was && !off:
		i.server.Logger.Info("this machine's clock is right again")
	}
}
