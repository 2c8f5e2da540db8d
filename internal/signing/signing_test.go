package signing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/internal/signing"
)

func TestAPeerThatSignsMustGoOn(t *testing.T) {
	now := time.Unix(1e9, 0)
	send := func(p *signing.Peer, n int, every time.Duration, signed bool) (learned bool) {
		for i := range n {
			l, _ := p.See(signed, now.Add(time.Duration(i)*every))
			learned = learned || l
		}
		return learned
	}
	var p signing.Peer
	assert.True(t, send(&p, 21, 30*time.Second, true))
	assert.True(t, p.Must())
	_, missing := p.See(false, now.Add(time.Hour))
	assert.True(t, missing)

	for name, peer := range map[string]func(p *signing.Peer){
		"too few":      func(p *signing.Peer) { send(p, 19, time.Hour, true) },
		"too fast":     func(p *signing.Peer) { send(p, 1000, time.Millisecond, true) },
		"one unsigned": func(p *signing.Peer) { send(p, 1, 0, false); send(p, 1000, time.Hour, true) },
	} {
		var p signing.Peer
		peer(&p)
		assert.False(t, p.Must(), name)
		_, missing := p.See(false, now.Add(time.Hour))
		assert.False(t, missing, name)
	}
}
