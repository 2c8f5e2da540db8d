// Package redistest starts Redis from Debian's packages for tests: one server,
// plain or with TLS and ACLs, Sentinel with a primary and a replica, a Cluster
// of three nodes. All of it lives in temporary directories. A [Link] is a
// network to one of them that can be broken.
//
// It speaks to them with redis-cli, so that the root module gets no client.
package redistest
