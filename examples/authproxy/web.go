package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsIdle is how long a connection is kept: Prometheus comes back within it.
const metricsIdle = time.Minute

// metricsHandler serves /metrics and /healthz.
func (d *daemon) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", d.healthz)
	return mux
}

// health is the answer of /healthz.
type health struct {
	Status   string                   `json:"status"` // serving, stopping
	Uptime   int64                    `json:"uptime_seconds"`
	Sections map[string]sectionHealth `json:"sections"`
	Logs     map[string]logHealth     `json:"logs"`
}

type logHealth struct {
	Lost  uint64 `json:"lines_lost"`
	Error string `json:"error,omitempty"` // why lines cannot be written now
}

type sectionHealth struct {
	Listens          string    `json:"listens"`
	FirstFactor      condition `json:"first_factor"`
	FirstFactorError string    `json:"first_factor_error,omitempty"` // why it is down
	Service          condition `json:"service"`
	ServiceCode      int       `json:"service_code,omitempty"`  // with which it refuses
	ServiceError     string    `json:"service_error,omitempty"` // why it is down or refuses, and what to do
	ClockOffset      float64   `json:"clock_offset_seconds"`    // how far the service's clock is ahead
	Redis            string    `json:"redis,omitempty"`         // up, down
	Waiting          int       `json:"waiting_logins"`
	Open             int       `json:"open_challenges"`
	Room             int       `json:"open_challenges_limit"` // at it, first steps get no reply
}

// healthz answers with status 200 while requests are served, whatever the health
// of others: what to do about those is not a restart.
func (d *daemon) healthz(w http.ResponseWriter, _ *http.Request) {
	answer := health{Status: "serving", Uptime: int64(time.Since(d.metrics.start).Seconds()), Sections: map[string]sectionHealth{}, Logs: map[string]logHealth{}}
	for _, l := range d.current() {
		answer.Sections[l.instance().section.Name] = d.sectionHealth(l)
	}
	for _, s := range d.spools() {
		lost, failure := s.state()
		answer.Logs[s.name] = logHealth{lost, text(failure)}
	}
	w.Header().Set("Content-Type", "application/json")
	if d.stopping.Load() {
		answer.Status = "stopping"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (d *daemon) sectionHealth(l *listener) sectionHealth {
	i := l.acquire()
	defer i.inUse.Done()
	section := i.section.Name
	first, service := d.peers.of(section, peerFirstFactor), d.peers.of(section, peerService)
	return sectionHealth{
		Listens:          l.listens(),
		FirstFactor:      first.is,
		FirstFactorError: text(first.err),
		Service:          service.is,
		ServiceCode:      service.code,
		ServiceError:     text(service.err),
		ClockOffset:      i.service.ClockOffset().Round(time.Second).Seconds(),
		Redis:            i.redisWord(),
		Waiting:          l.waiting(),
		Open:             d.store(section).Len(),
		Room:             d.store(section).Cap(),
	}
}

// text is empty for no error.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
