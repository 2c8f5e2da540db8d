//go:build !linux

package radmfa_test

import "testing"

func BenchmarkWholeLogin(b *testing.B) {
	b.Skip("pins processes to CPUs, which it knows on Linux only")
}

func servedBenchmark() bool { return false }
