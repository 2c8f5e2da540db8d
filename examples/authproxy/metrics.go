package main

import (
	"context"
	"crypto/tls"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/radius"
)

// metrics are those of the process. They outlive a reload. No label holds what a
// user or the network can choose.
type metrics struct {
	registry   *prometheus.Registry
	logins     *prometheus.CounterVec
	responses  *prometheus.CounterVec
	failedOpen *prometheus.CounterVec
	errors     *prometheus.CounterVec
	machines   *prometheus.HistogramVec
	people     *prometheus.HistogramVec
	outage     *prometheus.GaugeVec
	expiry     *prometheus.GaugeVec
	reloads    *prometheus.CounterVec
	reloaded   prometheus.Gauge
	reloadedAt prometheus.Gauge
	start      time.Time

	mu       sync.RWMutex
	sections map[string]bool // that are told of
}

// The buckets of durations in seconds, up to what a device may wait.
var (
	machineBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120}
	peopleBuckets  = []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120}
)

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	duration := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &metrics{
		registry:   prometheus.NewRegistry(),
		start:      time.Now(),
		logins:     counter("authproxy_logins_total", "Logins that ended, by result, reason and second factor.", "section", "result", "reason", "factor"),
		responses:  counter("authproxy_responses_total", "RADIUS packets sent in reply to new requests, by code.", "section", "code"),
		failedOpen: counter("authproxy_failed_open_total", "Logins accepted without a second factor since the service could not be contacted.", "section"),
		errors:     counter("authproxy_service_errors_total", "Calls to the service that brought no usable answer, by the service's code, class of HTTP status, or unreachable.", "section", "code"),
		machines:   duration("authproxy_stage_duration_seconds", "How long machines took: the first factor, preauth, and auth without a person.", machineBuckets, "section", "stage"),
		people:     duration("authproxy_person_duration_seconds", "How long people took to answer a push or a call.", peopleBuckets, "section", "factor"),
		outage:     gauge("authproxy_service_outage", "Whether logins are taken to be unable to contact the service, after several failures in a row.", "section"),
		expiry:     gauge("authproxy_certificate_expiry_timestamp_seconds", "When the certificate that a peer showed last expires.", "section", "peer"),
		reloads:    counter("authproxy_reloads_total", "Reloads of the configuration, by result.", "result"),
	}
	state := gauge("authproxy_config_last_reload_successful", "Whether the last reload of the configuration worked.")
	at := gauge("authproxy_config_last_reload_success_timestamp_seconds", "When the configuration was put to work last.")
	build := gauge("authproxy_build_info", "Always 1.", "version", "goversion")
	m.reloaded, m.reloadedAt = state.WithLabelValues(), at.WithLabelValues()
	build.WithLabelValues(buildVersion(), runtime.Version()).Set(1)
	for _, result := range []string{"done", "failed"} {
		m.reloads.WithLabelValues(result)
	}
	m.registry.MustRegister(m.logins, m.responses, m.failedOpen, m.errors, m.machines, m.people, m.outage, m.expiry,
		m.reloads, state, at, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// end is how a login can end.
type end struct {
	result  radmfa.Result
	cause   radmfa.Cause
	factors []string
}

const noFactor = "none"

// ends are the ends of a login, all of which are counted from the start.
var ends = []end{
	{radmfa.ResultAccepted, radmfa.CauseProved, []string{"push", "phone", "passcode"}},
	{radmfa.ResultAccepted, radmfa.CauseBypass, nil},
	{radmfa.ResultAccepted, radmfa.CauseExempt, nil},
	{radmfa.ResultAccepted, radmfa.CauseRemembered, nil},
	{radmfa.ResultAccepted, radmfa.CauseFailedOpen, nil},
	{radmfa.ResultAccepted, radmfa.CausePasswordChanged, nil},
	{radmfa.ResultRejected, radmfa.CauseFirstFactor, nil},
	{radmfa.ResultRejected, radmfa.CauseServiceDenies, nil},
	{radmfa.ResultRejected, radmfa.CauseNotEnrolled, nil},
	{radmfa.ResultRejected, radmfa.CauseNoFactor, nil},
	{radmfa.ResultRejected, radmfa.CauseTypingError, nil},
	{radmfa.ResultRejected, radmfa.CauseWrongPasscode, []string{"passcode"}},
	{radmfa.ResultRejected, radmfa.CauseDenied, []string{"push", "phone"}},
	{radmfa.ResultRejected, radmfa.CauseFraud, []string{"push", "phone"}},
	{radmfa.ResultRejected, radmfa.CauseTimeout, []string{"push", "phone"}},
	{radmfa.ResultRejected, radmfa.CauseLockedOut, []string{"push", "phone", "sms", "passcode"}},
	{radmfa.ResultRejected, radmfa.CauseSent, []string{"sms"}},
	{radmfa.ResultRejected, radmfa.CauseOverLimit, nil},
	{radmfa.ResultRejected, radmfa.CauseExpired, nil},
	{radmfa.ResultRejected, radmfa.CauseBadRequest, nil},
	{radmfa.ResultRejected, radmfa.CauseOutage, nil},
	{radmfa.ResultRejected, radmfa.CausePasswordNotChanged, nil},
	{radmfa.ResultFailed, radmfa.CauseFirstFactorFailed, nil},
	{radmfa.ResultFailed, radmfa.CauseServiceFailed, []string{noFactor, "push", "phone", "sms", "passcode"}},
	{radmfa.ResultFailed, radmfa.CauseInternal, nil},
}

// codes are those of responses.
var codes = map[radius.Code]string{
	radius.CodeAccessAccept: "access_accept", radius.CodeAccessReject: "access_reject", radius.CodeAccessChallenge: "access_challenge",
}

// errorCodes are the codes of the service that are counted apart.
var errorCodes = []int{
	duo.CodeInvalidParameter, duo.CodeBadIntegration, duo.CodeBadSignature, duo.CodeBadTimestamp, duo.CodeForbidden, duo.CodeTooManyRequests,
}

// begin makes the counters of a section.
func (m *metrics) begin(section string) {
	for _, e := range ends {
		for _, factor := range e.factors {
			m.logins.WithLabelValues(section, string(e.result), string(e.cause), factor)
		}
		if e.factors == nil {
			m.logins.WithLabelValues(section, string(e.result), string(e.cause), noFactor)
		}
	}
	for _, code := range codes {
		m.responses.WithLabelValues(section, code)
	}
	for _, code := range errorCodes {
		m.errors.WithLabelValues(section, strconv.Itoa(code))
	}
	for _, code := range []string{"4xx", "5xx", "unreachable", "other"} {
		m.errors.WithLabelValues(section, code)
	}
	for _, stage := range []string{peerFirstFactor, "preauth", "auth"} {
		m.machines.WithLabelValues(section, stage)
	}
	for _, factor := range []string{"push", "phone"} {
		m.people.WithLabelValues(section, factor)
	}
	m.failedOpen.WithLabelValues(section)
	m.outage.WithLabelValues(section)
}

// keep tells of these sections from now on. Others are dropped, and do not come
// back with their last logins.
func (m *metrics) keep(sections map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for section := range m.sections {
		if !sections[section] {
			of := prometheus.Labels{"section": section}
			for _, vec := range []interface {
				DeletePartialMatch(prometheus.Labels) int
			}{m.logins, m.responses, m.failedOpen, m.errors, m.machines, m.people, m.outage, m.expiry} {
				vec.DeletePartialMatch(of)
			}
		}
	}
	for section := range sections {
		if !m.sections[section] {
			m.begin(section)
		}
	}
	m.sections = sections
}

// about calls tell if the section is told of.
func (m *metrics) about(section string, tell func()) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.sections[section] {
		tell()
	}
}

// observe counts an event.
func (m *metrics) observe(section string, e radmfa.Event) {
	if e.Result == radmfa.ResultWaiting {
		return
	}
	m.about(section, func() {
		switch e.Stage {
		case radmfa.StagePrimary:
			m.machines.WithLabelValues(section, peerFirstFactor).Observe(e.Duration.Seconds())
		case radmfa.StagePreauth:
			m.machines.WithLabelValues(section, "preauth").Observe(e.Duration.Seconds())
			m.failed(section, e.Err)
		case radmfa.StageAuth:
			m.asked(section, e)
			m.failed(section, e.Err)
		case radmfa.StageLogin:
			m.ended(section, e)
		}
	})
}

// asked counts an answer to the second factor: of a person, or of a machine.
func (m *metrics) asked(section string, e radmfa.Event) {
	switch {
	case e.Factor != duo.FactorPush && e.Factor != duo.FactorPhone:
		m.machines.WithLabelValues(section, "auth").Observe(e.Duration.Seconds())
	case e.Result == radmfa.ResultAccepted, e.Result == radmfa.ResultRejected:
		m.people.WithLabelValues(section, string(e.Factor)).Observe(e.Duration.Seconds())
	}
}

// ended counts the end of a login. A question is none, and neither is a decision
// that is given once more.
func (m *metrics) ended(section string, e radmfa.Event) {
	switch e.Result {
	case radmfa.ResultChallenged, radmfa.ResultIgnored:
		return
	}
	if e.Repeated {
		return
	}
	m.logins.WithLabelValues(section, string(e.Result), string(e.Cause), factorLabel(e.Factor)).Inc()
	if e.FailedOpen {
		m.failedOpen.WithLabelValues(section).Inc()
	}
}

// factorLabel keeps the words of the label few.
func factorLabel(f duo.Factor) string {
	switch f {
	case duo.FactorPush, duo.FactorPhone, duo.FactorSMS, duo.FactorPasscode:
		return string(f)
	case "":
		return noFactor
	}
	return "other"
}

// failed counts an error of the service.
func (m *metrics) failed(section string, err error) {
	var e *duo.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
	case !errors.As(err, &e):
		m.errors.WithLabelValues(section, "other").Inc()
	default:
		m.errors.WithLabelValues(section, errorLabel(e)).Inc()
	}
}

// errorLabel keeps the words of the label few.
func errorLabel(e *duo.Error) string {
	class := max(e.Status/100, e.Code/10000)
	switch {
	case slices.Contains(errorCodes, e.Code):
		return strconv.Itoa(e.Code)
	case class == 4 || class == 5:
		return strconv.Itoa(class) + "xx"
	case e.Unavailable():
		return "unreachable"
	}
	return "other"
}

// responded counts a reply.
func (m *metrics) responded(section string, code radius.Code) {
	if label := codes[code]; label != "" {
		m.about(section, func() { m.responses.WithLabelValues(section, label).Inc() })
	}
}

// outOfReach notes whether logins are taken to be unable to contact the service.
func (m *metrics) outOfReach(section string, out bool) {
	m.about(section, func() { m.outage.WithLabelValues(section).Set(number(out)) })
}

// showed notes the certificate of a peer.
func (m *metrics) showed(section, peer string, state tls.ConnectionState) {
	if len(state.PeerCertificates) == 0 {
		return
	}
	expiry := float64(state.PeerCertificates[0].NotAfter.Unix())
	m.about(section, func() { m.expiry.WithLabelValues(section, peer).Set(expiry) })
}

// loaded notes the result of reading the configuration.
func (m *metrics) loaded(err error) {
	m.reloaded.Set(number(err == nil))
	if err == nil {
		m.reloadedAt.SetToCurrentTime()
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
