package main

import (
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/radius"
)

// The peers whose health and certificates are told.
const (
	peerService     = "service"
	peerFirstFactor = "first_factor"
)

// metrics are those of the process. They outlive a reload.
type metrics struct {
	registry    *prometheus.Registry
	logins      *prometheus.CounterVec
	failedOpen  *prometheus.CounterVec
	stages      *prometheus.HistogramVec
	up          *prometheus.GaugeVec
	certificate *prometheus.GaugeVec
	reloads     *prometheus.CounterVec
	start       time.Time

	mu       sync.Mutex
	sections map[string]bool    // whose peers are told of
	health   map[[2]string]bool // by section and peer; what was not asked yet is missing
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		start:    time.Now(),
		health:   map[[2]string]bool{},
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authproxy_logins_total", Help: "Access-Requests answered, by result and second factor.",
		}, []string{"section", "result", "factor"}),
		failedOpen: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authproxy_failed_open_total", Help: "Users let in without a second factor since the service could not be contacted.",
		}, []string{"section"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "authproxy_stage_seconds", Help: "Duration of the stages of a login.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60},
		}, []string{"section", "stage"}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "authproxy_up", Help: "Whether the last login that asked a peer got an answer.",
		}, []string{"section", "peer"}),
		certificate: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "authproxy_certificate_expiry_timestamp_seconds", Help: "When the certificate that a peer showed last expires.",
		}, []string{"section", "peer"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authproxy_reloads_total", Help: "Reloads of the configuration, by result.",
		}, []string{"result"}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "authproxy_build_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": buildVersion()},
	})
	info.Set(1)
	m.registry.MustRegister(m.logins, m.failedOpen, m.stages, m.up, m.certificate, m.reloads, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// unavailable reports whether an error says that the service cannot be reached.
func unavailable(err error) bool {
	var e *duo.Error
	return errors.As(err, &e) && e.Unavailable()
}

// observe counts an event.
func (m *metrics) observe(section string, e radmfa.Event) {
	if e.Result == radmfa.ResultWaiting {
		return
	}
	m.stages.WithLabelValues(section, string(e.Stage)).Observe(e.Duration.Seconds())
	switch e.Stage {
	case radmfa.StagePrimary:
		m.setUp(section, peerFirstFactor, e.Result != radmfa.ResultFailed)
	case radmfa.StagePreauth:
		m.setUp(section, peerService, e.Result != radmfa.ResultFailed || !unavailable(e.Err))
	case radmfa.StageLogin:
		m.logins.WithLabelValues(section, string(e.Result), string(e.Factor)).Inc()
		if e.FailedOpen {
			m.failedOpen.WithLabelValues(section).Inc()
		}
	}
}

// setUp notes whether a peer answers.
func (m *metrics) setUp(section, peer string, up bool) {
	value := 0.0
	if up {
		value = 1
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sections[section] {
		m.up.WithLabelValues(section, peer).Set(value)
		m.health[[2]string{section, peer}] = up
	}
}

// isUp reports whether a peer answered last, and whether it was asked yet.
func (m *metrics) isUp(section, peer string) (up, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	up, known = m.health[[2]string{section, peer}]
	return up, known
}

// showed notes the certificate of a peer.
func (m *metrics) showed(section, peer string, state tls.ConnectionState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sections[section] && len(state.PeerCertificates) > 0 {
		m.certificate.WithLabelValues(section, peer).Set(float64(state.PeerCertificates[0].NotAfter.Unix()))
	}
}

// keep tells of the peers of these sections from now on. Those of others are
// dropped, and do not come back with their last logins.
func (m *metrics) keep(sections map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for section := range m.sections {
		if sections[section] {
			continue
		}
		m.up.DeletePartialMatch(prometheus.Labels{"section": section})
		m.certificate.DeletePartialMatch(prometheus.Labels{"section": section})
		delete(m.health, [2]string{section, peerService})
		delete(m.health, [2]string{section, peerFirstFactor})
	}
	m.sections = sections
}

// transport is a collector of the counters of the listeners.
type transport struct {
	listeners func() []*listener
	store     func(section string) *challenge.MemoryStore
}

var (
	requestsDesc    = prometheus.NewDesc("authproxy_requests_total", "Packets that were handled, joined to a request in flight, repeated from memory, or Status-Server.", []string{"section", "listener", "how"}, nil)
	droppedDesc     = prometheus.NewDesc("authproxy_dropped_total", "Packets that were dropped and connections that were refused, by reason.", []string{"section", "listener", "reason"}, nil)
	waitingDesc     = prometheus.NewDesc("authproxy_waiting_logins", "Access-Requests that wait for a reply now.", []string{"section", "listener"}, nil)
	connectionsDesc = prometheus.NewDesc("authproxy_tls_connections", "Connections of devices over TLS that are open now.", []string{"section", "listener"}, nil)
	checkedDesc     = prometheus.NewDesc("authproxy_health_checks_total", "Access-Requests by the users of health_username_N, rejected at once.", []string{"section", "listener"}, nil)
	openDesc        = prometheus.NewDesc("authproxy_open_challenges", "Challenges that are kept until they are answered or expire.", []string{"section"}, nil)
	roomDesc        = prometheus.NewDesc("authproxy_open_challenges_limit", "How many challenges there is room for.", []string{"section"}, nil)
)

// Describe implements prometheus.Collector.
func (transport) Describe(descs chan<- *prometheus.Desc) {
	descs <- requestsDesc
	descs <- droppedDesc
	descs <- waitingDesc
	descs <- connectionsDesc
	descs <- checkedDesc
	descs <- openDesc
	descs <- roomDesc
}

// Collect implements prometheus.Collector.
func (t transport) Collect(out chan<- prometheus.Metric) {
	for _, l := range t.listeners() {
		section := l.instance().section.Name
		for _, e := range l.endpoints() {
			collect(out, section, e.label, e.server.Stats())
		}
		out <- prometheus.MustNewConstMetric(checkedDesc, prometheus.CounterValue, float64(l.checked.Load()), section, l.key)
		store := t.store(section)
		out <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, float64(store.Len()), section)
		out <- prometheus.MustNewConstMetric(roomDesc, prometheus.GaugeValue, float64(store.Cap()), section)
	}
}

// collect tells of a socket.
func collect(out chan<- prometheus.Metric, section, listener string, stats radius.Stats) {
	for how, n := range map[string]uint64{"handled": stats.Handled, "joined": stats.Joined, "repeated": stats.Repeated, "status": stats.Statuses} {
		out <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, float64(n), section, listener, how)
	}
	for reason, n := range stats.Dropped {
		out <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(n), section, listener, reason.String())
	}
	out <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(stats.InFlight), section, listener)
	out <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(stats.Connections), section, listener)
}
