package status

import (
	"strconv"
	"strings"
	"time"
)

// LastLogins is how many logins a Report has.
const LastLogins = 200

// Report is the state of the daemon.
type Report struct {
	Time    time.Time `json:"time"`
	State   string    `json:"state"` // serving, stopping
	Version string    `json:"version"`
	Build   string    `json:"build"`  // the system and the version of Go
	Config  string    `json:"config"` // the path of the file
	Node    string    `json:"node,omitempty"`
	Started time.Time `json:"started"`
	Reload  *Reload   `json:"last_reload,omitempty"`

	Sections     []Section     `json:"sections"`
	Waiting      []Waiting     `json:"waiting"`
	Minutes      []Minute      `json:"minutes"`
	Logins       []Login       `json:"logins"`
	Senders      []Sender      `json:"dropped_senders"`
	OtherDrops   uint64        `json:"dropped_of_others"` // of senders that are not listed
	Certificates []Certificate `json:"certificates"`
	Warnings     []string      `json:"warnings"`
}

// Hour returns how many logins ended in the last hour.
func (r *Report) Hour() (all Minute) {
	for _, m := range r.Minutes {
		all.Accepted += m.Accepted
		all.FailedOpen += m.FailedOpen
		all.Rejected += m.Rejected
		all.Failed += m.Failed
	}
	return all
}

// Reload is how the last reload of the file ended.
type Reload struct {
	Time  time.Time `json:"time"`
	Error string    `json:"error,omitempty"` // the running configuration is that of before
}

// Section is a server section at work.
type Section struct {
	Name    string `json:"name"`
	Line    int    `json:"line"`
	Listens string `json:"listens"`
	Service string `json:"service"`
	Waiting int    `json:"waiting_requests"`
	Open    int    `json:"open_challenges"`
	Room    int    `json:"open_challenges_limit"`
	Handled uint64 `json:"handled"`
	Dropped uint64 `json:"dropped"`
	Peers   []Peer `json:"peers"`

	// ClockOffset is how many seconds the service's clock is ahead.
	ClockOffset float64 `json:"clock_offset_seconds"`
}

// Peer is somebody whom a section asks.
type Peer struct {
	Name    string `json:"name"` // directory, RADIUS servers, service, Redis
	Address string `json:"address"`
	PeerState
	Servers []Server `json:"servers,omitempty"` // of a first factor, with the state of each
}

// Server is one of several that a peer is made of.
type Server struct {
	Address  string `json:"address"`
	Down     bool   `json:"down"`
	Failures uint64 `json:"failures"`
}

// Down lists the servers that are down, of several.
func (p *Peer) Down() (list []string) {
	for _, s := range p.Servers {
		if s.Down && len(p.Servers) > 1 {
			list = append(list, s.Address)
		}
	}
	return list
}

// Ago is how long something is past, in the words of people.
func Ago(now, then time.Time) string {
	if then.IsZero() {
		return "never"
	}
	return Age(now.Sub(then)) + " ago"
}

// Age is a duration in its largest units.
func Age(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strings.TrimSuffix(strconv.Itoa(int(d.Hours()))+" h "+strconv.Itoa(int(d.Minutes())%60)+" min", " 0 min")
	default:
		return strconv.Itoa(int(d.Hours()/24)) + " days"
	}
}

// soon is how long before its end a certificate is worth a look.
const soon = 14 * 24 * time.Hour

// Left says how long a certificate is good, and whether it must be renewed.
func (c *Certificate) Left(now time.Time) (text string, urgent bool) {
	left := c.Expires.Sub(now)
	if left <= 0 {
		return "expired " + Ago(now, c.Expires), true
	}
	return "expires in " + Age(left), left < soon
}
