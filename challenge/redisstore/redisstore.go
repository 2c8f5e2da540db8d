// Package redisstore is a challenge.Store in Redis 5 or later, or Valkey, for
// servers that share their sessions.
//
//	client := redis.NewUniversalClient(&redis.UniversalOptions{
//		Addrs:                 []string{"redis1:6379"},
//		ContextTimeoutEnabled: true,
//		DialTimeout:           time.Second,
//		DialerRetries:         1,
//	})
//	server.Store = &redisstore.Store{Client: client}
//	server.ClusterKey = key // at least 32 random bytes, the same everywhere
//
// One server, Sentinel, Cluster, TLS and accounts are options of the client. Set
// the three above: without ContextTimeoutEnabled a login waits for a server that
// hangs past its own deadline, and the defaults of the others dial one that is
// gone for up to 25 s.
//
// # What can be lost
//
// Redis acknowledges a write before its replicas have it. When a replica is
// promoted in that moment, the write is lost. A lost challenge, or a lost
// decision, makes the user log in again. A lost claim of an answer lets a NAS that
// asks again at that moment start a second push. Store.Replicas narrows this to
// the case that the replica did not answer in time. A server that restarts without
// its data, or is emptied, loses all open logins: those users log in again.
// Nothing that is lost lets anybody in.
//
// # Rights and room
//
// An account needs, on the keys of Prefix:
//
//	user radmfa on >password ~radmfa:* +get +set +eval +evalsha +pexpire +pexpireat +zadd +zrem +zcard +zscore +zrevrange +zremrangebyscore +time +info +wait +ping
//
// and in a Cluster +cluster|slots +cluster|shards +command as well. Set
// maxmemory-policy to noeviction: another one throws out logins in progress. A
// server that is full takes no new logins, but finishes those that it has.
package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/radmfa/radmfa/challenge"
)

// Store is a challenge.Store in Redis. Each of its operations touches one key in
// one round trip. It is safe for concurrent use; do not change its fields after
// first use.
//
// Names of keys are hashes of ids, so that who reads Redis learns no State.
// Sessions are kept as they are given: a radmfa.Server seals them.
//
// A call that the client retries, since its reply was lost, is done once: late
// attempts are recognised for as long as the session has not changed eight times
// since, and is kept or was removed less than a minute ago.
type Store struct {
	// Client is the connection to Redis. Required.
	Client redis.UniversalClient

	// Prefix begins the name of each key. Empty: "radmfa:".
	Prefix string

	// Replicas is how many replicas a swap waits for (WAIT). Where fewer answer
	// within ReplicaTimeout, the swap counts all the same; Check reports it. Zero:
	// it does not wait.
	Replicas int

	// ReplicaTimeout bounds that. Zero: 50 ms.
	ReplicaTimeout time.Duration
}

var (
	//go:embed swap.lua
	swapSource string
	swapScript = redis.NewScript(swapSource)

	//go:embed acquire.lua
	acquireSource string
	acquireScript = redis.NewScript(acquireSource)
)

// stampLength is the size of the random name of a call.
const stampLength = 12

// Put implements challenge.Store. It returns an error that wraps
// challenge.ErrFull when id is new and Redis is full.
func (s *Store) Put(ctx context.Context, id string, session []byte, ttl time.Duration) error {
	return s.change(ctx, "put", id, session, nil, ttl)
}

// Add stores session under id unless there is one; see challenge.Shared.
func (s *Store) Add(ctx context.Context, id string, session []byte, ttl time.Duration) error {
	return s.change(ctx, "add", id, session, nil, ttl)
}

// CompareAndSwap implements challenge.Store.
func (s *Store) CompareAndSwap(ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
	return s.change(ctx, "swap", id, new, old, ttl)
}

// Get implements challenge.Store.
func (s *Store) Get(ctx context.Context, id string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	value, err := s.Client.Get(ctx, s.key("s", id)).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, challenge.ErrNotFound
	case err != nil:
		return nil, explain(err)
	case len(value) < 2 || value[0] != 1 || len(value) < 2+stampLength*int(value[1]):
		return nil, challenge.ErrNotFound
	}
	return value[2+stampLength*int(value[1]):], nil
}

// Acquire takes a permit of id; see challenge.Shared.
func (s *Store) Acquire(ctx context.Context, id, permit string, limit int, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if ttl <= 0 {
		return limit > 0, nil
	}
	n, err := acquireScript.Run(ctx, s.Client, []string{s.key("p", id)}, hash(permit), limit, milliseconds(ttl)).Int()
	return n == 1, explain(err)
}

// Release gives a permit back; see challenge.Shared.
func (s *Store) Release(ctx context.Context, id, permit string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return explain(s.Client.ZRem(ctx, s.key("p", id), hash(permit)).Err())
}

// change runs the script that all writes of sessions share.
func (s *Store) change(ctx context.Context, mode, id string, new, old []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stamp := make([]byte, stampLength)
	_, _ = rand.Read(stamp) // never fails
	args := []any{mode, stamp, milliseconds(ttl), new, old}
	var reply string
	var err error
	if s.Replicas > 0 && mode != "put" {
		reply, _, err = s.runAndWait(ctx, s.key("s", id), args)
	} else {
		reply, err = swapScript.Run(ctx, s.Client, []string{s.key("s", id)}, args...).Text()
	}
	switch {
	case err != nil:
		return explain(err)
	case reply == "gone":
		return challenge.ErrNotFound
	case reply == "conflict":
		return challenge.ErrConflict
	}
	return nil
}

// milliseconds rounds up, so that a session lives no shorter than it should.
func milliseconds(ttl time.Duration) int64 {
	return int64((max(ttl, 0) + time.Millisecond - 1) / time.Millisecond)
}

func (s *Store) key(kind, id string) string {
	prefix := s.Prefix
	if prefix == "" {
		prefix = "radmfa:"
	}
	return prefix + kind + ":" + hash(id)
}

func hash(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// explain makes an error of the client one of the Store.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case redis.IsOOMError(err):
		return fmt.Errorf("redisstore: Redis has reached its maxmemory: %w", challenge.ErrFull)
	}
	return fmt.Errorf("redisstore: %w", err)
}
