package status

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/radmfa/radmfa/radius"
)

// Sources can be forged, so both are bounded: how many are remembered, and how
// many of those may be replaced by new ones in a second.
const (
	maxSenders    = 256
	newInSecond   = 4
	forgetSenders = 24 * time.Hour
)

// Sender is an address whose datagrams are dropped.
type Sender struct {
	Section  string    `json:"section"`
	Listener string    `json:"listener"`
	Address  string    `json:"address"`
	Reason   string    `json:"reason"`
	Count    uint64    `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`

	// Hint says what can be done, Lines are those of the file that would let the
	// sender in, where such are known. Both are filled in by a Place.
	Hint  string   `json:"hint,omitempty"`
	Lines []string `json:"lines,omitempty"`

	Drop radius.DropReason `json:"-"`
	Addr netip.Addr        `json:"-"`
}

type senderKey struct {
	section string
	addr    netip.Addr
	reason  radius.DropReason
}

type senders struct {
	known  map[senderKey]*Sender
	others uint64
	second int64
	fresh  int // in that second
}

func (s *senders) drop(section, listener string, d radius.Drop, now time.Time) {
	key := senderKey{section, d.Source.Addr().Unmap(), d.Reason}
	sender := s.known[key]
	if sender == nil {
		if !s.room(now) {
			s.others++
			return
		}
		sender = &Sender{
			Section: section, Listener: listener, Address: key.addr.String(), Reason: d.Reason.String(),
			First: now, Drop: d.Reason, Addr: key.addr,
		}
		s.known[key] = sender
	}
	sender.Count++
	sender.Last, sender.Listener = now, listener
}

// room makes room for one more. Whoever was seen least goes, so that a device
// that keeps asking stays in the list while others forge addresses.
func (s *senders) room(now time.Time) bool {
	if s.known == nil {
		s.known = map[senderKey]*Sender{}
	}
	if len(s.known) < maxSenders {
		return true
	}
	if s.second != now.Unix() {
		s.second, s.fresh = now.Unix(), 0
	}
	if s.fresh++; s.fresh > newInSecond {
		return false
	}
	var least senderKey
	var worst *Sender
	for key, sender := range s.known {
		if now.Sub(sender.Last) > forgetSenders {
			delete(s.known, key)
			return true
		}
		if worst == nil || cmp.Or(cmp.Compare(sender.Count, worst.Count), sender.Last.Compare(worst.Last)) < 0 {
			least, worst = key, sender
		}
	}
	s.others += worst.Count
	delete(s.known, least)
	return true
}

func (s *senders) list() ([]Sender, uint64) {
	list := make([]Sender, 0, len(s.known))
	for _, sender := range s.known {
		list = append(list, *sender)
	}
	slices.SortFunc(list, func(a, b Sender) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Reason, b.Reason))
	})
	return list, s.others
}

func (s *senders) keep(sections map[string]bool) {
	maps.DeleteFunc(s.known, func(key senderKey, _ *Sender) bool { return !sections[key.section] })
}

func (s *senders) forgive(section string) {
	maps.DeleteFunc(s.known, func(key senderKey, _ *Sender) bool { return key.section == section })
}
