//go:build !linux

package radius

import "testing"

func servedBenchmark() bool { return false }

func BenchmarkLogin(b *testing.B) {
	b.Skip("pins its servers to one CPU, which it can do on Linux only")
}
