package main

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// browser is the program as a page: a VPN, and the phones of its users. All who
// have the page open see the same.
type browser struct {
	*world
	feed *feed
	over chan struct{} // closed when no phone is looked at any more

	logins sync.WaitGroup

	mu     sync.Mutex
	vpn    vpn
	phone  phone
	closed bool
	serial int // of the VPN's state: an old request does not change a new one
	stop   context.CancelFunc
	reply  *radiustest.Reply   // the last; nil: none
	asked  map[string]question // by TxID
}

// question is a push or call that waits for its owner.
type question struct {
	answer chan<- duo.Status
	code   string // to be typed; empty: none
}

// vpn is the login page of the VPN.
type vpn struct {
	State    string    `json:"state"` // login, waiting, challenge, accepted, rejected or failed
	Username string    `json:"username"`
	Serial   int       `json:"serial"`  // changes with each state
	Message  int       `json:"message"` // number of the text that is shown
	Lines    []int     `json:"lines"`   // how many characters each of its lines has
	Error    string    `json:"error"`
	Since    time.Time `json:"since"`
}

// phone is what its owner sees.
type phone struct {
	Owner    string `json:"owner"` // the VPN's user
	Pushes   []push `json:"pushes"`
	Messages []sms  `json:"messages"`
	Said     string `json:"said"`  // what became of the last push
	Token    string `json:"token"` // the passcode of the owner's token
}

type push struct {
	TxID   string    `json:"txid"`
	Owner  string    `json:"owner"`
	Factor string    `json:"factor"`
	Text   string    `json:"text"`
	From   string    `json:"from"`
	NAS    string    `json:"nas"`
	Typed  bool      `json:"typed"` // a number has to be
	Wrong  bool      `json:"wrong"` // it was
	Sent   time.Time `json:"sent"`
	Ends   time.Time `json:"ends"`
}

type sms struct {
	Owner string    `json:"owner"`
	Codes []string  `json:"codes"`
	Good  []string  `json:"good"` // that are not used
	Sent  time.Time `json:"sent"`
}

// newBrowser starts the server on conn, and closes that on an error. Every step is
// logged to the page, and to handler what that wants.
func newBrowser(conn net.PacketConn, handler slog.Handler) (*browser, error) {
	b := &browser{
		feed: newFeed(), over: make(chan struct{}), vpn: vpn{State: "login"},
		asked: make(map[string]question),
	}
	toPage := slog.NewJSONHandler(b.feed, &slog.HandlerOptions{Level: slog.LevelDebug})
	tapped := &tap{conn, &packets{show: func(p packet) { b.feed.addJSON("packet", p) }}}
	var err error
	b.world, err = newWorld(tapped, b, prompt.HTML{Split: true}, slog.New(slog.NewMultiHandler(toPage, handler)))
	return b, err
}

// close ends the phones, the VPN and the server.
func (b *browser) close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	close(b.over)
	b.cancel()
	b.logins.Wait()
	return b.world.close()
}

// login begins one at the VPN.
func (b *browser) login(username, password string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ask(username, func(ctx context.Context) (*radiustest.Reply, error) {
		return b.nas.Login(ctx, username, password)
	}, "login", "accepted", "rejected", "failed")
}

// answer answers the challenge that the VPN shows.
func (b *browser) answer(text string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	challenge := b.reply
	return b.ask(b.vpn.Username, func(ctx context.Context) (*radiustest.Reply, error) {
		return b.nas.Answer(ctx, challenge, text)
	}, "challenge")
}

// ask sends a request if the VPN is in one of the states, and shows the reply. The
// caller holds b.mu.
func (b *browser) ask(username string, send func(context.Context) (*radiustest.Reply, error), states ...string) error {
	if b.closed || !slices.Contains(states, b.vpn.State) {
		return errors.New("the VPN does not ask for that now")
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	b.own(username)
	waiting := vpn{State: "waiting", Username: username}
	if b.vpn.State == "challenge" { // the page stays until the next one comes
		waiting.Message, waiting.Lines = b.vpn.Message, b.vpn.Lines
	}
	serial := b.change(waiting)
	b.logins.Go(func() {
		defer cancel()
		reply, err := send(ctx)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.serial == serial {
			b.replied(username, reply, err)
		}
	})
	return nil
}

// replied shows a reply. The caller holds b.mu.
func (b *browser) replied(username string, reply *radiustest.Reply, err error) {
	if err != nil {
		b.reply = nil
		b.change(vpn{State: "failed", Username: username, Error: err.Error()})
		return
	}
	b.reply = reply
	state := "challenge"
	switch {
	case reply.Accepted():
		state = "accepted"
	case reply.Rejected():
		state = "rejected"
	}
	b.change(vpn{State: state, Username: username, Message: b.serial + 1, Lines: lines(reply.Message())})
}

// lines measures a text in HTML, since nobody can look into the frame that it is
// shown in.
func lines(text string) []int {
	var measured []int
	if text != "" {
		for line := range strings.SplitSeq(text, "<br />") {
			measured = append(measured, utf8.RuneCountInString(html.UnescapeString(line)))
		}
	}
	return measured
}

// change gives the VPN another state and returns its number. The caller holds
// b.mu.
func (b *browser) change(v vpn) int {
	b.serial++
	v.Serial, v.Since = b.serial, time.Now()
	b.vpn = v
	b.feed.news()
	return b.serial
}

// cancel takes the VPN back to its first page. The server does not learn of it.
func (b *browser) cancel() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stop != nil {
		b.stop()
	}
	b.reply = nil
	b.change(vpn{State: "login"})
}

func (b *browser) messageText() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reply == nil {
		return ""
	}
	return b.reply.Message()
}

func (b *browser) stateJSON() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.phone.Messages {
		b.phone.Messages[i].Good = b.service.SMS(b.phone.Messages[i].Owner)
	}
	data, _ := json.Marshal(map[string]any{"vpn": b.vpn, "phone": b.phone})
	return string(data)
}
