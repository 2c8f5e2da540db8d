package main

import (
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/internal/chromiumtest"
)

func TestTryOut(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	b, err := newBrowser(conn, slog.NewTextHandler(io.Discard, nil))
	require.NoError(t, err)
	server := httptest.NewServer(b.handler())
	defer func() { server.CloseClientConnections(); server.Close(); require.NoError(t, b.close()) }()
	c := chromiumtest.Start(t)
	p := c.Open(t, server.URL, chromiumtest.View{Width: 1280, Height: 900})
	save := func(name string) { require.NoError(t, os.WriteFile("/tmp/"+name+".png", p.Screenshot(), 0o644)) }
	save("s1")
	p.Click("#people button", "jdoe")
	p.Click("#login button", "Log in")
	p.WaitText("#ask", "One more step")
	p.WaitFrame("Passcode or option (1-3):")
	save("s2")
	p.Type("#answer input", "1")
	p.Enter()
	p.WaitText("#phone h3", "Login request for jdoe")
	save("s3")
	p.Look(chromiumtest.View{Width: 1280, Height: 900, Dark: true})
	save("s4")
	p.Click("#phone button", "Approve")
	p.WaitText("#verdict", "Connected")
	save("s5")
	p.Look(chromiumtest.View{Width: 390, Height: 800})
	save("s6")
}
