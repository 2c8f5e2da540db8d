package redisstore_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/challenge/challengetest"
	"github.com/radmfa/radmfa/challenge/redisstore"
	"github.com/radmfa/radmfa/internal/redistest"
)

// rule is the account that the documentation asks for.
const rule = "+get +set +eval +evalsha +pexpire +pexpireat +zadd +zrem +zcard +zscore +zrevrange +zremrangebyscore +time +info +wait +ping"

// open returns a store with the options that the documentation asks for.
func open(t *testing.T, change func(*redis.UniversalOptions), addrs ...string) *redisstore.Store {
	options := &redis.UniversalOptions{
		Addrs: addrs, ContextTimeoutEnabled: true, DialTimeout: time.Second, DialerRetries: 1,
	}
	if change != nil {
		change(options)
	}
	client := redis.NewUniversalClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return &redisstore.Store{Client: client}
}

func passes(t *testing.T, s *redisstore.Store) {
	t.Helper()
	challengetest.TestStore(t, func(*testing.T) challenge.Store { return s })
	assert.NoError(t, s.Check(t.Context()))
}

func TestOneServer(t *testing.T) { passes(t, open(t, nil, redistest.Start(t).Addr)) }

func TestCluster(t *testing.T) {
	nodes := redistest.StartCluster(t)
	s := open(t, nil, nodes[0].Addr, nodes[1].Addr)
	passes(t, s)
	s.Replicas = 1 // there is none: swaps count all the same
	challengetest.TestStore(t, func(*testing.T) challenge.Store { return s })
	assert.ErrorContains(t, s.Check(t.Context()), "0 of 1 replicas")
}

func TestSentinelFailsOver(t *testing.T) {
	g := redistest.StartGroup(t)
	s := open(t, func(o *redis.UniversalOptions) { o.MasterName = redistest.Master }, g.Sentinels...)
	s.Replicas, s.ReplicaTimeout = 1, time.Second
	passes(t, s)
	id := challenge.NewID()
	require.NoError(t, s.Put(t.Context(), id, []byte("open"), time.Minute))
	require.NoError(t, s.CompareAndSwap(t.Context(), id, []byte("open"), []byte("answering"), time.Minute))
	g.Primary.Kill()
	g.AwaitFailOver(t)
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		got, err := s.Get(t.Context(), id)
		assert.NoError(c, err)
		assert.Equal(c, "answering", string(got), "the swap was waited for")
	}, 10*time.Second, 50*time.Millisecond)
	s.Replicas = 0
	passes(t, s)
}

func TestTLSAndAnAccount(t *testing.T) {
	server := redistest.StartSecure(t, "radmfa:", rule)
	pem, err := os.ReadFile(server.CA)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	passes(t, open(t, func(o *redis.UniversalOptions) {
		o.Username, o.Password = redistest.User, redistest.Password
		o.TLSConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}, server.Addr))
}

func TestNoKeyTellsAnID(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, nil, server.Addr)
	id := challenge.NewID()
	require.NoError(t, s.Put(t.Context(), id, []byte("one"), time.Minute))
	_, err := s.Acquire(t.Context(), id, "permit", 1, time.Minute)
	require.NoError(t, err)
	keys := server.Must(t, "KEYS", "*")
	assert.NotContains(t, keys, id)
	for key := range strings.FieldsSeq(keys) {
		assert.Regexp(t, "^radmfa:[sp]:", key)
	}
}

// A reply that is lost must not look like somebody else's swap.
func TestALostReplyIsNoConflict(t *testing.T) {
	for _, mode := range []string{"swap", "add"} {
		t.Run(mode, func(t *testing.T) {
			link := redistest.NewLink(t, redistest.Start(t).Addr)
			s := open(t, nil, link.Addr)
			id := challenge.NewID()
			// The scripts are known, so that what is lost is the reply to EVALSHA.
			require.NoError(t, s.Put(t.Context(), id, []byte("old"), time.Minute))
			link.LoseReplies()
			time.AfterFunc(5*time.Millisecond, link.Repair)
			var err error
			want := "new"
			if mode == "swap" {
				err = s.CompareAndSwap(t.Context(), id, []byte("old"), []byte("new"), time.Minute)
			} else {
				id, want = challenge.NewID(), "added"
				err = s.Add(t.Context(), id, []byte("added"), time.Minute)
			}
			require.NoError(t, err)
			got, err := s.Get(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, want, string(got))
		})
	}
}

// What was written, retried and swapped since, is not undone by the first attempt
// when that arrives at last.
func TestALateAttemptChangesNothing(t *testing.T) {
	server := redistest.Start(t)
	link := redistest.NewLink(t, server.Addr)
	slow := open(t, func(o *redis.UniversalOptions) {
		o.ReadTimeout, o.MaxRetries = 200*time.Millisecond, 5
		o.MinRetryBackoff, o.MaxRetryBackoff = 10*time.Millisecond, 10*time.Millisecond
	}, link.Addr)
	other := open(t, nil, server.Addr)
	id := challenge.NewID()
	require.NoError(t, slow.Put(t.Context(), challenge.NewID(), nil, time.Minute)) // connected
	link.Delay(time.Second)
	time.AfterFunc(100*time.Millisecond, link.Repair)
	require.NoError(t, slow.Put(t.Context(), id, []byte("open"), time.Minute))
	require.NoError(t, other.CompareAndSwap(t.Context(), id, []byte("open"), []byte("answering"), time.Minute),
		"before the first attempt arrives")
	executed := func() string { return server.Must(t, "INFO", "commandstats") }
	before := executed()
	assert.Eventually(t, func() bool { return executed() != before }, 3*time.Second, 50*time.Millisecond)
	time.Sleep(1200 * time.Millisecond)
	got, err := other.Get(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "answering", string(got))
	require.NoError(t, other.Put(t.Context(), id, nil, 0))
	_, err = other.Get(t.Context(), id)
	assert.ErrorIs(t, err, challenge.ErrNotFound)
}

func TestAServerThatIsFull(t *testing.T) {
	server := redistest.Start(t, "--maxmemory-policy", "noeviction")
	s := open(t, nil, server.Addr)
	id := challenge.NewID()
	require.NoError(t, s.Put(t.Context(), id, []byte("old"), time.Minute))
	server.Must(t, "CONFIG", "SET", "maxmemory", "100kb")
	assert.ErrorIs(t, s.Put(t.Context(), challenge.NewID(), []byte("one"), time.Minute), challenge.ErrFull)
	assert.ErrorIs(t, s.Add(t.Context(), challenge.NewID(), []byte("one"), time.Minute), challenge.ErrFull)
	require.NoError(t, s.CompareAndSwap(t.Context(), id, []byte("old"), []byte("new"), time.Minute))
	got, err := s.Get(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "new", string(got))
	assert.ErrorIs(t, s.Check(t.Context()), challenge.ErrFull)
}

func TestCheckFindsEviction(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	assert.ErrorContains(t, open(t, nil, server.Addr).Check(t.Context()), "noeviction")
}

// A server that hangs or is gone is given up in time, and comes back by itself.
func TestAServerThatIsAway(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, nil, server.Addr)
	id := challenge.NewID()
	require.NoError(t, s.Put(t.Context(), id, []byte("one"), time.Minute))
	try := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started := time.Now()
		_, err := s.Get(ctx, id)
		assert.Less(t, time.Since(started), 2*time.Second)
		return err
	}
	server.Pause()
	assert.Error(t, try())
	server.Resume()
	assert.Eventually(t, func() bool { return try() == nil }, 5*time.Second, 50*time.Millisecond)
	server.Kill()
	err := try()
	require.Error(t, err)
	assert.NotErrorIs(t, err, challenge.ErrNotFound)
	require.NoError(t, server.Restart())
	assert.Eventually(t, func() bool { return assert.ObjectsAreEqual(challenge.ErrNotFound, try()) }, 5*time.Second, 50*time.Millisecond)
}
