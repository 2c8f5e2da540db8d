package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	defaultReplicaTimeout = 50 * time.Millisecond

	// maxRedirects is how often a Cluster may have moved a key meanwhile.
	maxRedirects = 3
)

// runAndWait runs the script and waits for replicas, on one connection and in one
// round trip: WAIT counts what its own connection has written. It returns how
// many replicas have it.
func (s *Store) runAndWait(ctx context.Context, key string, args []any) (string, int64, error) {
	for redirects := 0; ; redirects++ {
		node, err := s.nodeOf(ctx, key)
		if err != nil {
			return "", 0, err
		}
		reply, acks, err := s.pipelined(ctx, node, key, args, swapScript.EvalSha)
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			reply, acks, err = s.pipelined(ctx, node, key, args, swapScript.Eval)
		}
		cluster, ok := s.Client.(*redis.ClusterClient)
		if !ok || !redis.HasErrorPrefix(err, "MOVED") || redirects == maxRedirects {
			return reply, acks, err
		}
		cluster.ReloadState(ctx)
	}
}

// pipelined sends the script and WAIT together. What WAIT says is an error only
// for Check: the script has run.
func (s *Store) pipelined(ctx context.Context, node redis.Cmdable, key string, args []any,
	run func(context.Context, redis.Scripter, []string, ...any) *redis.Cmd,
) (string, int64, error) {
	timeout := s.ReplicaTimeout
	if timeout == 0 {
		timeout = defaultReplicaTimeout
	}
	pipe := node.Pipeline()
	script := run(ctx, pipe, []string{key}, args...)
	// Zero milliseconds would be for ever.
	acks := pipe.Do(ctx, "wait", s.Replicas, max(timeout.Milliseconds(), 1))
	_, _ = pipe.Exec(ctx) // each command has its own error
	reply, err := script.Text()
	n, _ := acks.Int64()
	return reply, n, err
}

// nodeOf returns the server that has a key.
func (s *Store) nodeOf(ctx context.Context, key string) (redis.Cmdable, error) {
	if cluster, ok := s.Client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return s.Client, nil
}
