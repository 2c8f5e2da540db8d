package redisstore_test

import (
	"log/slog"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/challenge/redisstore"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/internal/redistest"
	"github.com/radmfa/radmfa/primary/primarytest"
)

// BenchmarkLogin is a whole login, with the store in memory and in Redis. It
// reports the CPU of this process, which has the service too; Redis has its own.
func BenchmarkLogin(b *testing.B) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(b).Addr, ContextTimeoutEnabled: true})
	b.Cleanup(func() { _ = client.Close() })
	for name, store := range map[string]challenge.Store{
		"memory": &challenge.MemoryStore{}, "redis": &redisstore.Store{Client: client},
	} {
		b.Run(name, func(b *testing.B) {
			service := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}}
			server := &radmfa.Server{
				Primary: primarytest.Users{"jdoe": "pw"}, SecondFactor: service.Client(),
				Store: store, ClusterKey: "a secret of the cluster that is long enough",
				Logger: slog.New(slog.DiscardHandler),
				Limits: radmfa.Limits{Outstanding: -1, PerMinute: -1},
			}
			before := cpu()
			for b.Loop() {
				asked := server.Login(b.Context(), radmfa.Request{Device: "vpn", Username: "jdoe", Password: "pw"})
				reply := server.Login(b.Context(), radmfa.Request{Device: "vpn", Username: "jdoe", Password: "push", State: asked.State})
				if reply.Result != radmfa.ResultAccepted {
					b.Fatal(reply.Result, reply.Messages)
				}
			}
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/login")
		})
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
