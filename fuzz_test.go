package radmfa_test

import (
	"log/slog"
	"net"
	"testing"

	layeh "layeh.com/radius"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// replies counts what a handler writes.
type replies struct{ list []*radius.Packet }

func (r *replies) Write(p *radius.Packet) error {
	r.list = append(r.list, p)
	return nil
}

// FuzzServeRADIUS: whatever the attributes of a request, there is one reply, and
// never an Access-Accept without a second factor.
func FuzzServeRADIUS(f *testing.F) {
	for _, answer := range []string{"", "1"} {
		request := goldenRequest(f, 1, answer, "")
		f.Add(request[20:])
	}
	f.Add([]byte("\x01\x06jdoe\x4f\x04\x02\x01\x1a\x08\x00\x00\x63\x75\x07\x02"))
	f.Add([]byte("\x01\x02\x02\x02\x18\x02\x1f\x02"))
	service := &duotest.Service{Unknown: &duotest.User{}}
	server := &radmfa.Server{
		Primary:      primary.None{},
		SecondFactor: service.Client(),
		Logger:       slog.New(slog.DiscardHandler),
		Describe: func(p *radius.Packet, d *radmfa.Description) {
			d.ClientIP = radmfa.AddrIn(radius.AttributeType{Vendor: 25461, Type: 7})(p)
		},
	}
	f.Fuzz(func(t *testing.T, attributes []byte) {
		parsed, err := layeh.ParseAttributes(attributes)
		if err != nil {
			t.Skip()
		}
		p := &radius.Packet{Code: radius.CodeAccessRequest, Secret: []byte(secret), Attributes: parsed}
		w := &replies{}
		r := &radius.Request{RemoteAddr: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1024}, Packet: p}
		server.ServeRADIUS(w, r.WithContext(radius.WithClient(t.Context(), &radius.Client{Name: "fuzz", Secret: secret})))
		if len(w.list) != 1 {
			t.Fatalf("%d replies", len(w.list))
		}
		if err := radius.Fits(w.list[0], p); err != nil {
			t.Fatal(err)
		}
		if w.list[0].Code == radius.CodeAccessAccept {
			t.Fatal("let in")
		}
	})
}
