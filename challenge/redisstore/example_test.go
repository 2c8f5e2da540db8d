package redisstore_test

import (
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge/redisstore"
)

// Two servers behave as one when both are made like this.
func Example() {
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:                 []string{"redis1.example.com:6379"},
		ContextTimeoutEnabled: true,
		DialTimeout:           time.Second,
		DialerRetries:         1,
	})
	defer func() { _ = client.Close() }()
	server := &radmfa.Server{
		Store:      &redisstore.Store{Client: client},
		ClusterKey: "64 random hexadecimal digits, the same everywhere",
		Node:       "vpn-radius-1",
	}
	_ = server // and its other fields
}
