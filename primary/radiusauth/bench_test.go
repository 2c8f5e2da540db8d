package radiusauth_test

import (
	"testing"

	"github.com/radmfa/radmfa/primary/radiusauth"
)

// BenchmarkAuthenticate is logins at one server on the loopback interface, as
// many at once as there are processors.
func BenchmarkAuthenticate(b *testing.B) {
	address, stop := exampleServer()
	defer stop()
	a := &radiusauth.Authenticator{Servers: []radiusauth.Server{{Address: address}}, Secret: "testing123"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := a.Authenticate(b.Context(), jdoe("correct horse")); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
