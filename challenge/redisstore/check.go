package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/radmfa/radmfa/challenge"
)

const (
	maxSkew = 5 * time.Second
	// A server that uses more than this share of its memory will soon be full.
	maxUse = 0.9
)

// Check reports what is wrong with Redis: whether a session can be written, read
// and swapped, whether replicas answer where Replicas wants some, whether its
// clock is ours, and whether it has room and keeps what it has. It is meant for
// an operator, before servers rely on it.
func (s *Store) Check(ctx context.Context) error {
	if err := s.checkSession(ctx); err != nil {
		return err
	}
	check := func(ctx context.Context, c redis.Cmdable) error {
		return errors.Join(checkClock(ctx, c), checkMemory(ctx, c))
	}
	if cluster, ok := s.Client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return check(ctx, c) })
	}
	return check(ctx, s.Client)
}

func (s *Store) checkSession(ctx context.Context) error {
	id, one, two := challenge.NewID(), []byte("one"), []byte("two")
	if err := s.Put(ctx, id, one, time.Minute); err != nil {
		return fmt.Errorf("cannot write: %w", err)
	}
	switch got, err := s.Get(ctx, id); {
	case err != nil:
		return fmt.Errorf("cannot read: %w", err)
	case string(got) != string(one):
		return errors.New("redisstore: a session comes back otherwise than it was written")
	}
	if err := s.CompareAndSwap(ctx, id, one, two, time.Minute); err != nil {
		return fmt.Errorf("cannot swap: %w", err)
	}
	if s.Replicas > 0 {
		key := s.key("s", id)
		args := []any{"swap", challenge.NewID()[:stampLength], 60000, one, two}
		_, acks, err := s.runAndWait(ctx, key, args)
		if err != nil {
			return fmt.Errorf("cannot wait for replicas: %w", explain(err))
		}
		if acks < int64(s.Replicas) {
			return fmt.Errorf("redisstore: %d of %d replicas have a swap in time: look at INFO replication", acks, s.Replicas)
		}
	}
	if _, err := s.Acquire(ctx, id, "one", 1, time.Minute); err != nil {
		return fmt.Errorf("cannot count: %w", err)
	}
	if err := s.Release(ctx, id, "one"); err != nil {
		return fmt.Errorf("cannot count: %w", err)
	}
	return s.Put(ctx, id, nil, 0)
}

func checkClock(ctx context.Context, c redis.Cmdable) error {
	sent := time.Now()
	theirs, err := c.Time(ctx).Result()
	if err != nil {
		return fmt.Errorf("cannot read the clock: %w", explain(err))
	}
	skew := theirs.Sub(sent.Add(time.Since(sent) / 2))
	if skew.Abs() > maxSkew {
		return fmt.Errorf("redisstore: the clock of Redis differs from this machine's by %v: run NTP on both", skew.Round(time.Millisecond))
	}
	return nil
}

func checkMemory(ctx context.Context, c redis.Cmdable) error {
	text, err := c.Info(ctx, "memory").Result()
	if err != nil {
		return fmt.Errorf("cannot read how much memory there is: %w", explain(err))
	}
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	limit, _ := strconv.ParseFloat(info["maxmemory"], 64)
	used, _ := strconv.ParseFloat(info["used_memory"], 64)
	policy := info["maxmemory_policy"]
	switch {
	case limit == 0:
		return nil
	case policy != "noeviction":
		return fmt.Errorf("redisstore: maxmemory-policy is %s, which throws out logins in progress: set it to noeviction", policy)
	case used > maxUse*limit:
		return fmt.Errorf("redisstore: Redis uses %.0f %% of its maxmemory: raise it", 100*used/limit)
	}
	return nil
}
