package duo

import (
	"context"
	"net/http"
	"time"
)

// Ping asks whether the service can be reached and returns its time, which is
// also what later requests are signed by. It needs no keys to be right.
func (c *Client) Ping(ctx context.Context) (time.Time, error) {
	t, err := c.time(ctx, &call{name: "ping", method: http.MethodGet, unsigned: true})
	if err == nil {
		c.clock.set(t)
	}
	return t, err
}

// Check asks whether keys, host and clock are right and returns the service's
// time.
func (c *Client) Check(ctx context.Context) (time.Time, error) {
	return c.time(ctx, &call{name: "check", method: http.MethodGet})
}

func (c *Client) time(ctx context.Context, k *call) (time.Time, error) {
	response, _, err := c.do(ctx, k)
	if err != nil {
		return time.Time{}, err
	}
	var r struct {
		Time number `json:"time"`
	}
	if err := decode(k.name, response, &r); err != nil {
		return time.Time{}, err
	}
	if r.Time <= 0 {
		return time.Time{}, unintelligible(k.name, "the response has no time")
	}
	return time.Unix(int64(r.Time), 0), nil
}

// Logo returns the logo that the application was given, as a PNG image.
func (c *Client) Logo(ctx context.Context) ([]byte, error) {
	k := &call{name: "logo", method: http.MethodGet, image: true}
	response, a, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	if response != nil {
		return nil, unintelligible(k.name, "the answer is no PNG image")
	}
	return a.body, nil
}
