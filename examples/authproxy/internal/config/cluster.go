package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// minClusterKey is the length of a random secret in hexadecimal digits that
// nobody guesses.
const minClusterKey = 32

var redisURL = Kind{
	Expect: "a URL such as redis://redis1:6379, rediss://redis1:6380 or redis://sentinel1:26379,sentinel2:26379?master=name",
	hidden: true,
	check:  func(s string) error { _, err := parseRedis(s); return err },
}

// Redis is what redis_url says.
type Redis struct {
	Addrs   []string
	TLS     bool
	Master  string // for Sentinels
	Cluster bool
	DB      int
}

// Redis returns redis_url, or nil where it is not set.
func (s *Section) Redis() *Redis {
	if !s.Set("redis_url") {
		return nil
	}
	r, _ := parseRedis(s.Text("redis_url"))
	return r
}

func parseRedis(s string) (*Redis, error) {
	scheme, rest, _ := strings.Cut(s, "://")
	if scheme != "redis" && scheme != "rediss" {
		return nil, errors.New("the scheme is not redis or rediss")
	}
	hosts, query, _ := strings.Cut(rest, "?")
	if strings.Contains(hosts, "@") {
		return nil, errors.New("put the account into redis_username and redis_password")
	}
	r := &Redis{TLS: scheme == "rediss"}
	for addr := range strings.SplitSeq(strings.TrimSuffix(hosts, "/"), ",") {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			host, port = strings.Trim(addr, "[]"), ""
		}
		if port == "" {
			port = "6379"
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || host == "" || strings.ContainsAny(host, "/ ") {
			return nil, fmt.Errorf("%q is not a host and port", addr)
		}
		r.Addrs = append(r.Addrs, net.JoinHostPort(host, port))
	}
	return r, r.options(query)
}

func (r *Redis) options(query string) error {
	options, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("what follows ? is not name=value")
	}
	for name := range options {
		switch v := options.Get(name); name {
		case "master":
			r.Master = v
		case "cluster":
			r.Cluster, err = parseBool(v)
		case "db":
			if r.DB, err = strconv.Atoi(v); r.DB < 0 {
				err = errors.New("negative")
			}
		default:
			return fmt.Errorf("unknown option %s: there are master, cluster and db", name)
		}
		if err != nil {
			return fmt.Errorf("option %s has no such value", name)
		}
	}
	switch {
	case r.Cluster && r.Master != "":
		return errors.New("a Cluster has no master name: keep one of cluster and master")
	case r.Cluster && r.DB != 0:
		return errors.New("a Cluster has only db 0")
	case len(r.Addrs) > 1 && r.Master == "" && !r.Cluster:
		return errors.New("several hosts are Sentinels (add ?master=name) or a Cluster (add ?cluster=true)")
	}
	return nil
}

// cluster checks what nodes share.
func (l *loader) cluster(main *Section) {
	line := func(name string) int { return main.values[name].line }
	if !main.Set("redis_url") {
		for _, name := range []string{"redis_username", "redis_password", "redis_ca_file", "cluster_key"} {
			if main.Set(name) && !l.told(main, &Key{Name: "redis_url"}) {
				l.problem(line(name), Main, name, "requires redis_url, which is not set")
			}
		}
		return
	}
	redis := main.Redis()
	switch {
	case !main.Set("cluster_key") && !l.told(main, &Key{Name: "cluster_key"}):
		l.problem(line("redis_url"), Main, "redis_url", "requires cluster_key, which is not set: without it, whoever reads Redis could guess what automatic logins and counts are about; make one with: openssl rand -hex 32")
	case main.Set("cluster_key") && len(main.Secret("cluster_key")) < minClusterKey:
		l.problem(line("cluster_key"), Main, "cluster_key", "is too short to be safe: expected at least %d characters, such as those of: openssl rand -hex 32", minClusterKey)
	}
	if main.Set("redis_username") && !main.Set("redis_password") && !l.told(main, &Key{Name: "redis_password"}) {
		l.problem(line("redis_username"), Main, "redis_username", "requires redis_password, which is not set")
	}
	if main.Set("redis_ca_file") && redis != nil && !redis.TLS {
		l.problem(line("redis_ca_file"), Main, "redis_ca_file", "has no use without TLS: let redis_url begin with rediss://")
	}
}
