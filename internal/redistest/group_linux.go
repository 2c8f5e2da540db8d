package redistest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Master is the name by which Sentinels know their primary.
const Master = "radmfa"

// Group is a primary, a replica and three Sentinels that promote the replica
// when the primary is gone for half a second.
type Group struct {
	Primary, Replica *Server
	Sentinels        []string // addresses
}

// StartGroup starts a Group that ends with the test.
func StartGroup(tb testing.TB) *Group {
	tb.Helper()
	g := &Group{Primary: Start(tb)}
	host, port, _ := net.SplitHostPort(g.Primary.Addr)
	g.Replica = Start(tb, "--replicaof", host, port)
	if err := await(20*time.Second, func() error {
		info, err := g.Replica.CLI("INFO", "replication")
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New("the replica has not caught up")
		}
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	var first *Server
	for range 3 {
		s := prepare(tb)
		_, own, _ := net.SplitHostPort(s.Addr)
		file := filepath.Join(s.dir, "sentinel.conf")
		text := fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nsentinel monitor %s %s %s 2\n"+
			"sentinel down-after-milliseconds %[3]s 500\nsentinel failover-timeout %[3]s 3000\n",
			own, s.dir, Master, host, port)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
		s.args = []string{file, "--sentinel"}
		s.run(tb)
		g.Sentinels = append(g.Sentinels, s.Addr)
		first = s
	}
	if err := await(20*time.Second, func() error {
		seen, err := first.CLI("SENTINEL", "MASTER", Master)
		fields := strings.Fields(seen)
		for i, field := range fields {
			switch field {
			case "num-slaves":
				seen = fields[i+1]
			case "num-other-sentinels":
				seen += " " + fields[i+1]
			}
		}
		if err == nil && seen != "1 2" {
			err = fmt.Errorf("replicas and other Sentinels seen: %s", seen)
		}
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	return g
}

// AwaitFailOver waits until the replica is the primary.
func (g *Group) AwaitFailOver(tb testing.TB) {
	tb.Helper()
	if err := await(20*time.Second, func() error {
		role, err := g.Replica.CLI("ROLE")
		if err == nil && !strings.HasPrefix(role, "master") {
			err = errors.New("the replica has not been promoted")
		}
		return err
	}); err != nil {
		tb.Fatal(err)
	}
}

// StartCluster starts a Cluster of three nodes that ends with the test.
func StartCluster(tb testing.TB) []*Server {
	tb.Helper()
	var nodes []*Server
	create := []string{"--cluster", "create"}
	for range 3 {
		s := Start(tb, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
		nodes = append(nodes, s)
		create = append(create, s.Addr)
	}
	if err := await(20*time.Second, func() error {
		info, err := nodes[0].CLI("CLUSTER", "INFO")
		if err == nil && strings.Contains(info, "cluster_known_nodes:1") {
			_, err = nodes[0].CLI(append(create, "--cluster-yes")...)
		}
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	for _, s := range nodes {
		if err := await(20*time.Second, func() error {
			info, err := s.CLI("CLUSTER", "INFO")
			if err == nil && !strings.Contains(info, "cluster_state:ok") {
				err = errors.New(info)
			}
			return err
		}); err != nil {
			tb.Fatal(err)
		}
	}
	return nodes
}
