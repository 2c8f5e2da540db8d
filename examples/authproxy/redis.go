package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/radmfa/radmfa/challenge/redisstore"
	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

const (
	redisTimeout = 2 * time.Second // of one call
	pingTimeout  = time.Second     // for /healthz and /metrics
)

// quietRedis keeps the client library from writing to the standard error: what it
// would say comes back as an error.
var quietRedis = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

type silence struct{}

// Printf implements the library's logger.
func (silence) Printf(context.Context, string, ...any) {}

// share lets the instance keep its challenges in Redis, where the file says so.
// Each section has a prefix of its own.
func (i *instance) share(main *config.Section) {
	url := main.Redis()
	if url == nil {
		return
	}
	quietRedis()
	options := &redis.UniversalOptions{
		Addrs: url.Addrs, MasterName: url.Master, IsClusterMode: url.Cluster, DB: url.DB,
		Username: main.Text("redis_username"), Password: main.Text("redis_password"),
		ContextTimeoutEnabled: true, DialTimeout: time.Second, DialerRetries: 1,
		ReadTimeout: redisTimeout, WriteTimeout: redisTimeout,
	}
	if url.TLS {
		options.TLSConfig = &tls.Config{RootCAs: main.Certificates("redis_ca_file"), MinVersion: tls.VersionTLS12}
	}
	i.redis = &redisstore.Store{Client: redis.NewUniversalClient(options), Prefix: redisPrefix(i.section.Name)}
	i.server.Store = i.redis
	i.server.ClusterKey = main.Secret("cluster_key")
	host, _ := os.Hostname()
	i.server.Node = cmp.Or(main.Text("node_name"), host)
}

func redisPrefix(name string) string { return "radmfa:" + name + ":" }

// handOver lets other nodes go on with the logins in flight.
func (l *listener) handOver(ctx context.Context) {
	if i := l.instance(); i.redis != nil && i.server.Shutdown(ctx) == nil {
		for _, e := range l.endpoints() {
			_ = e.server.Close()
		}
	}
}

// checkRedis tries what the daemon needs of Redis.
func (i *instance) checkRedis(ctx context.Context) []finding {
	if i.redis == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return []finding{{text: "redis: write, read, swap, clock and memory", err: i.redis.Check(ctx)}}
}

// redisUp reports whether Redis answers. Known is false where there is none.
func (i *instance) redisUp() (up, known bool) {
	if i.redis == nil {
		return false, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	return i.redis.Client.Ping(ctx).Err() == nil, true
}

// redisWord is for /healthz.
func (i *instance) redisWord() string {
	switch up, known := i.redisUp(); {
	case !known:
		return ""
	case up:
		return "up"
	default:
		return "down"
	}
}

// redisHealth collects whether Redis answers, when it is asked for.
type redisHealth struct{ listeners func() []*listener }

var redisDesc = prometheus.NewDesc("authproxy_redis_up", "Whether the Redis of a section answers.", []string{"section"}, nil)

// Describe implements prometheus.Collector.
func (redisHealth) Describe(c chan<- *prometheus.Desc) { c <- redisDesc }

// Collect implements prometheus.Collector.
func (h redisHealth) Collect(c chan<- prometheus.Metric) {
	var all sync.WaitGroup
	for _, l := range h.listeners() {
		i := l.acquire()
		all.Go(func() {
			defer i.inUse.Done()
			if up, known := i.redisUp(); known {
				value := 0.0
				if up {
					value = 1
				}
				c <- prometheus.MustNewConstMetric(redisDesc, prometheus.GaugeValue, value, i.section.Name)
			}
		})
	}
	all.Wait()
}
