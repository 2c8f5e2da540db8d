package radiusauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// refusedPause is the time between two attempts to connect to a port that refuses.
const refusedPause = 100 * time.Millisecond

// askTLS asks this server over TLS.
func (t turn) askTLS(ctx context.Context, l *login) (*primary.Result, error) {
	request, err := t.newRequest(l, t.localAddr(ctx))
	if err != nil {
		return nil, err
	}
	reply, err := t.exchangeTLS(ctx, request)
	if err != nil {
		return nil, err
	}
	return t.answer(l, request, reply)
}

// localAddr returns the address from which this host reaches the server, or nil. A
// connected socket knows it, without a packet sent.
func (t turn) localAddr(ctx context.Context) net.Addr {
	if t.auth.NASIPAddress.IsValid() || t.auth.DialContext != nil {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", t.address)
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }()
	return conn.LocalAddr()
}

// exchangeTLS sends the request and waits for the reply. The Status-Server is as in
// exchange.
func (t turn) exchangeTLS(ctx context.Context, request *radius.Packet) (*radius.Packet, error) {
	exchanger, delay := t.exchanger(), t.interval()
	if t.trial {
		exchanger.Tries, delay = 1, 0
	}
	started, isThere := time.Now(), t.statusAfter(ctx, delay)
	reply, err := t.connectPatiently(ctx, exchanger, request)
	there := isThere()
	switch {
	case err == nil:
		t.replied()
		return reply, nil
	case there:
		t.replied()
		return nil, fmt.Errorf("radiusauth: %w; it answers Status-Server, so it is there and keeps silent about this login", err)
	}
	err = fmt.Errorf("radiusauth: %w", err)
	if errors.Is(err, radius.ErrNoReply) || ctx.Err() != nil && time.Since(started) >= t.interval() {
		t.failed(err)
	}
	return nil, err
}

// connectPatiently is Exchange, but bears a port that refuses for a while, where
// there is no other server to ask: this one may restart.
func (t turn) connectPatiently(ctx context.Context, exchanger *radius.Exchanger, request *radius.Packet) (*radius.Packet, error) {
	end := time.Now().Add(max(cmp.Or(t.auth.RefusedFor, DefaultRefusedFor), t.interval()))
	for {
		reply, err := exchanger.Exchange(ctx, request, t.address)
		var op *net.OpError
		refused := errors.As(err, &op) && op.Op == "dial" && !op.Timeout()
		if !refused || t.othersWait || !time.Now().Before(end) {
			return reply, err
		}
		select {
		case <-time.After(refusedPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}
