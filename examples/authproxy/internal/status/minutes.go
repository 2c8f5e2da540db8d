package status

import (
	"time"

	"github.com/radmfa/radmfa"
)

// hour is how many minutes are remembered.
const hour = 60

// Minute is how many logins ended in one minute, by result.
type Minute struct {
	Time       time.Time `json:"time"` // its beginning
	Accepted   int       `json:"accepted"`
	FailedOpen int       `json:"failed_open"` // let in without a second factor
	Rejected   int       `json:"rejected"`
	Failed     int       `json:"failed"` // something does not work, or no reply
}

// Total is how many there were.
func (m Minute) Total() int { return m.Accepted + m.FailedOpen + m.Rejected + m.Failed }

// minutes is a ring by the minute of the clock.
type minutes [hour]Minute

func (m *minutes) count(e radmfa.Event) {
	start := e.Time.Truncate(time.Minute)
	slot := &m[slotOf(start)]
	if !slot.Time.Equal(start) {
		*slot = Minute{Time: start}
	}
	switch {
	case e.FailedOpen:
		slot.FailedOpen++
	case e.Result == radmfa.ResultAccepted:
		slot.Accepted++
	case e.Result == radmfa.ResultRejected:
		slot.Rejected++
	default:
		slot.Failed++
	}
}

func (m *minutes) last(now time.Time) []Minute {
	list := make([]Minute, 0, hour)
	for i := hour - 1; i >= 0; i-- {
		start := now.Truncate(time.Minute).Add(-time.Duration(i) * time.Minute)
		if slot := m[slotOf(start)]; slot.Time.Equal(start) {
			list = append(list, slot)
		} else {
			list = append(list, Minute{Time: start})
		}
	}
	return list
}

func slotOf(start time.Time) int64 { return start.Unix() / 60 % hour }
