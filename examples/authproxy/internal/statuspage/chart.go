package statuspage

import (
	"fmt"
	"strings"

	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
)

// The chart in units of its own: the browser scales it.
const (
	barWidth    = 10
	chartHeight = 120
)

// chart is logins a minute as stacked bars.
type chart struct {
	Width, Height, Half int
	Most                int // in one minute
	Bars                []bar
	Totals              status.Minute
}

// bar is one minute.
type bar struct {
	X     int
	Words string
	Parts []part
}

type part struct {
	Class     string
	Y, Height float64
}

func newChart(r *status.Report) chart {
	minutes := r.Minutes
	c := chart{Width: barWidth * len(minutes), Height: chartHeight, Half: chartHeight / 2, Most: 1, Totals: r.Hour()}
	for _, m := range minutes {
		c.Most = max(c.Most, m.Total())
	}
	for i, m := range minutes {
		if m.Total() > 0 {
			c.Bars = append(c.Bars, newBar(i*barWidth, m, float64(chartHeight)/float64(c.Most)))
		}
	}
	return c
}

func newBar(x int, m status.Minute, scale float64) bar {
	b := bar{X: x}
	y := float64(chartHeight)
	var words []string
	for _, p := range []struct {
		class, words string
		n            int
	}{
		{"accepted", "let in", m.Accepted},
		{"open", "let in without a second factor", m.FailedOpen},
		{"rejected", "denied", m.Rejected},
		{"failed", "failed", m.Failed},
	} {
		if p.n == 0 {
			continue
		}
		height := float64(p.n) * scale
		y -= height
		b.Parts = append(b.Parts, part{p.class, y, height})
		words = append(words, fmt.Sprintf("%d %s", p.n, p.words))
	}
	b.Words = m.Time.Local().Format("15:04") + ": " + strings.Join(words, ", ")
	return b
}
