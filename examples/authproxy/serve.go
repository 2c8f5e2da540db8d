package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// drainTimeout is a little more than a request may take.
const drainTimeout = 65 * time.Second

// serve runs the daemon until ctx ends, a signal says so, or a listener fails.
func serve(ctx context.Context, path string, stdout, stderr io.Writer) int {
	stop, reload := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(stop, stopSignals...)
	defer signal.Stop(stop)
	if len(reloadSignals) > 0 {
		signal.Notify(reload, reloadSignals...)
		defer signal.Stop(reload)
	}
	ignoreBrokenPipes()
	d := newDaemon(path, stdout)
	if err := d.load(); err != nil {
		_, _ = fmt.Fprintf(stderr, "authproxy: not started\n%v\n", err)
		return exitFailed
	}
	d.logs.Info("started", "version", buildVersion(), "config", path)
	d.warn()
	if isTerminal(stderr) {
		d.greet(stderr)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if d.file.Main.Bool("test_connectivity_on_startup") {
		d.testConnectivity(ctx)
	}
	d.running.Go(func() { d.watch(ctx) })
	watchdog, stopWatchdog := newWatchdog()
	defer stopWatchdog()
	notify(systemd.SdNotifyReady + "\n" + d.status("serving"))
	status := d.run(ctx, stop, reload, watchdog)
	cancel()
	if isTerminal(stderr) {
		_, _ = fmt.Fprintln(stderr, "stopping when the logins in flight have ended; Ctrl-C ends them at once")
	}
	notify(systemd.SdNotifyStopping + "\n" + d.status("stopping"))
	d.drain(stop, watchdog)
	return status
}

// run handles what happens until it is time to stop.
func (d *daemon) run(ctx context.Context, stop, reload <-chan os.Signal, watchdog <-chan time.Time) (status int) {
	ticks, stopStatus := newStatus()
	defer stopStatus()
	for {
		select {
		case <-ctx.Done():
			return exitOK
		case s := <-stop:
			d.logs.Info("stopping when the logins in flight have ended; a second signal ends them", "signal", s.String())
			return exitOK
		case err := <-d.failed:
			d.logs.Error("stopping, since a listener failed", "error", err)
			return exitFailed
		case <-reload:
			d.reload()
		case <-ticks:
			notify(d.status("serving"))
		case <-watchdog:
			notify(systemd.SdNotifyWatchdog)
		}
	}
}

// reload reads the file anew. A bad one changes nothing.
func (d *daemon) reload() {
	notify(systemd.SdNotifyReloading + "\n" + systemd.SdNotifyMonotonicUsec())
	defer func() { notify(systemd.SdNotifyReady + "\n" + d.status("serving")) }()
	d.logs.reopen()
	for _, l := range d.current() {
		l.forget()
	}
	err := d.load()
	d.noteReload(err)
	if d.stale = err != nil; d.stale {
		d.metrics.reloads.WithLabelValues("failed").Inc()
		d.metrics.loaded(err)
		for line := range strings.Lines(err.Error()) {
			d.logs.Error("reload failed; keeping the current configuration", "problem", strings.TrimSpace(line))
		}
		return
	}
	d.metrics.reloads.WithLabelValues("done").Inc()
	d.logs.Info("reloaded", "config", d.path)
	d.warn()
}

// drain ends the daemon: at once when another signal comes.
func (d *daemon) drain(stop <-chan os.Signal, watchdog <-chan time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.shutdown(ctx)
	}()
	for {
		select {
		case <-done:
			return
		case <-stop:
			d.logs.Warn("stopping at once: the logins in flight are rejected")
			cancel()
		case <-watchdog:
			notify(systemd.SdNotifyWatchdog)
		}
	}
}

// warn tells of settings that are honoured although better ones are to be had.
func (d *daemon) warn() {
	for _, w := range d.file.Warnings {
		d.logs.Warn("configuration: "+w.Text, "line", w.Line, "section", w.Section, "key", w.Key)
	}
}

// testConnectivity does what the command check does, into the log and while
// requests are served.
func (d *daemon) testConnectivity(ctx context.Context) {
	for _, l := range d.current() {
		i, logger := l.acquire(), d.logs.With("section", l.instance().section.Name)
		d.running.Go(func() {
			defer i.inUse.Done()
			for _, f := range i.check(ctx) {
				if f.err != nil {
					logger.Error("connectivity: "+f.text, "error", f.err)
				} else {
					logger.Info("connectivity: " + f.text)
				}
			}
		})
	}
}
