package main

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/radmfa/radmfa/radius"
)

// collector collects what others count, when it is asked for.
type collector struct{ daemon *daemon }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	requestsDesc    = desc("authproxy_requests_total", "Packets that were handled, joined to a request in flight, repeated from memory, or Status-Server.", "section", "listener", "how")
	droppedDesc     = desc("authproxy_dropped_total", "Packets that were dropped and connections that were refused, by reason.", "section", "listener", "reason")
	waitingDesc     = desc("authproxy_waiting_logins", "Access-Requests that wait for a reply now.", "section", "listener")
	connectionsDesc = desc("authproxy_tls_connections", "Connections of devices over TLS that are open now.", "section", "listener")
	checkedDesc     = desc("authproxy_health_checks_total", "Access-Requests by the users of health_username_N, rejected at once.", "section", "listener")
	openDesc        = desc("authproxy_open_challenges", "Challenges that are kept until they are answered or expire.", "section")
	roomDesc        = desc("authproxy_open_challenges_limit", "How many challenges there is room for.", "section")

	upDesc        = desc("authproxy_up", "Whether a peer answered last, and did not refuse.", "section", "peer")
	conditionDesc = desc("authproxy_peer_condition", "1 for what is known of a peer: up, down, refusing or unknown.", "section", "peer", "condition")
	refusalDesc   = desc("authproxy_service_refusal_code", "The code with which the service refuses what this daemon asks; 0: it does not.", "section")
	clockDesc     = desc("authproxy_service_clock_offset_seconds", "How far the service's clock is ahead of this machine's.", "section")

	serverDesc     = desc("authproxy_first_factor_server_up", "Whether a server of the first factor answered last.", "section", "server")
	failuresDesc   = desc("authproxy_first_factor_failovers_total", "How often a server of the first factor gave no answer about a login, so that the next was asked.", "section", "server")
	connectionDesc = desc("authproxy_directory_connections", "Connections to a directory server.", "section", "server", "state")

	lostDesc    = desc("authproxy_log_lines_lost_total", "Log lines that could not be written.", "log")
	writingDesc = desc("authproxy_log_writable", "Whether the last line could be written.", "log")
)

// Describe implements prometheus.Collector.
func (collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requestsDesc, droppedDesc, waitingDesc, connectionsDesc, checkedDesc, openDesc, roomDesc, upDesc, conditionDesc, refusalDesc, clockDesc,
		serverDesc, failuresDesc, connectionDesc, lostDesc, writingDesc,
	} {
		descs <- d
	}
}

// collected is where metrics go to.
type collected chan<- prometheus.Metric

func (c collected) counter(d *prometheus.Desc, n uint64, labels ...string) {
	c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func (c collected) gauge(d *prometheus.Desc, value float64, labels ...string) {
	c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	out := collected(metrics)
	for _, l := range c.daemon.current() {
		i := l.acquire()
		out.listener(l, i.section.Name)
		out.instance(i)
		store := c.daemon.store(i.section.Name)
		out.gauge(openDesc, float64(store.Len()), i.section.Name)
		out.gauge(roomDesc, float64(store.Cap()), i.section.Name)
		i.inUse.Done()
	}
	c.daemon.peers.each(out.peer)
	for _, s := range c.daemon.spools() {
		lost, failure := s.state()
		out.counter(lostDesc, lost, s.name)
		out.gauge(writingDesc, number(failure == nil), s.name)
	}
}

func (c collected) listener(l *listener, section string) {
	for _, e := range l.endpoints() {
		c.endpoint(e.server.Stats(), section, e.label)
	}
	c.counter(checkedDesc, l.checked.Load(), section, l.key)
}

func (c collected) endpoint(stats radius.Stats, section, listener string) {
	for how, n := range map[string]uint64{"handled": stats.Handled, "joined": stats.Joined, "repeated": stats.Repeated, "status": stats.Statuses} {
		c.counter(requestsDesc, n, section, listener, how)
	}
	for reason, n := range stats.Dropped {
		c.counter(droppedDesc, n, section, listener, label(reason.String()))
	}
	c.gauge(waitingDesc, float64(stats.InFlight), section, listener)
	c.gauge(connectionsDesc, float64(stats.Connections), section, listener)
}

func (c collected) instance(i *instance) {
	section := i.section.Name
	c.gauge(clockDesc, i.service.ClockOffset().Seconds(), section)
	for _, s := range i.first.servers() {
		c.gauge(serverDesc, number(!s.down), section, s.address)
		c.counter(failuresDesc, s.failures, section, s.address)
		if s.pooled {
			c.gauge(connectionDesc, float64(s.busy), section, s.address, "busy")
			c.gauge(connectionDesc, float64(s.idle), section, s.address, "idle")
		}
	}
}

func (c collected) peer(who peer, r report) {
	for _, condition := range conditions {
		c.gauge(conditionDesc, number(r.is == condition), who.section, who.name, string(condition))
	}
	if r.is != isUnknown {
		c.gauge(upDesc, number(r.is == isUp), who.section, who.name)
	}
	if who.name == peerService {
		c.gauge(refusalDesc, float64(r.code), who.section)
	}
}

// label makes a label without blanks of a text: "unknown client" is
// "unknown_client".
func label(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(text))
}
