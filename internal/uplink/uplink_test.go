package uplink_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/fault"
	"noom/internal/uplink"
	"noom/signal"
	"noom/transport/mem"
)

const heartbeat = 10 * time.Second

// line is an Uplink whose hub and owner are the test.
type line struct {
	t     *testing.T
	cfg   uplink.Config
	up    *uplink.Uplink
	dials chan signal.Signaler // the hub's ends
	lost  chan error
	ended chan error // of Run

	cancel context.CancelFunc
}

// inBubble runs f with a running Uplink that has joined, and with the hub's end.
func inBubble(t *testing.T, set func(*uplink.Config), f func(l *line, hub signal.Signaler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		public := signal.PublicKey(key.Public().(ed25519.PublicKey))
		l := &line{t: t, dials: make(chan signal.Signaler, 64), lost: make(chan error, 64), ended: make(chan error, 1)}
		l.cfg = configOf(signal.DialerFunc(func(context.Context) (signal.Signaler, error) {
			client, server := mem.Pipe()
			l.dials <- server
			return client, nil
		}), public, key)
		l.cfg.Lost = func(err error) { l.lost <- err }
		if set != nil {
			set(&l.cfg)
		}
		l.up = uplink.New(l.cfg)
		var ctx context.Context
		ctx, l.cancel = context.WithCancel(t.Context())
		joined := make(chan error, 1)
		go func() {
			_, err := l.up.Join(ctx, nil)
			joined <- err
		}()
		hub := <-l.dials
		l.letIn(hub)
		if err := <-joined; err != nil {
			t.Fatal(err)
		}
		go func() {
			l.ended <- l.up.Run(ctx)
			l.up.Wait()
		}()
		f(l, hub)
		l.cancel()
		synctest.Wait()
		select {
		case <-l.up.Gone():
		default:
			t.Error("the Uplink is not gone")
		}
	})
}

// configOf is that of a member that dials by d.
func configOf(d signal.Dialer, public signal.PublicKey, key ed25519.PrivateKey) uplink.Config {
	return uplink.Config{
		Dialer: d, Room: "방", Self: signal.Member{ID: signal.MemberID(public), PublicKey: public, Session: signal.NewSession()},
		Name: func() string { return "지우" }, Token: "token",
		Sign:        func(text []byte) signal.Bytes { return ed25519.Sign(key, text) },
		Sends:       func() []string { return nil },
		DialTimeout: 5 * time.Second, RedialMax: 2 * time.Second,
		Trace: func(bool, signal.Message) {}, Lost: func(error) {},
		Log: slog.New(slog.DiscardHandler),
	}
}

// receive returns the next frame from the member, which must be of type want.
func (l *line) receive(hub signal.Signaler, want signal.Type) signal.Message {
	l.t.Helper()
	m, err := hub.Receive(l.t.Context())
	if err != nil || m.Type != want {
		l.t.Fatalf("received %q, %v; want %q", m.Type, err, want)
	}
	return m
}

func (l *line) say(hub signal.Signaler, m signal.Message) {
	l.t.Helper()
	if err := hub.Send(l.t.Context(), m); err != nil {
		l.t.Fatal(err)
	}
}

// letIn plays the hub's part in a join.
func (l *line) letIn(hub signal.Signaler) (token string) {
	l.t.Helper()
	return l.letInAt(hub, "")
}

// letInAt is letIn by a hub that was dialled under that name.
func (l *line) letInAt(hub signal.Signaler, endpoint string) (token string) {
	l.t.Helper()
	join := l.receive(hub, signal.TypeJoin)
	self := l.cfg.Self
	nonce := signal.Bytes("0123456789abcdef0123456789abcdef")
	l.say(hub, signal.Message{Type: signal.TypeChallenge, Nonce: nonce})
	proof := l.receive(hub, signal.TypeProof)
	if !ed25519.Verify(ed25519.PublicKey(self.PublicKey), signal.ProofText(endpoint, "방", self.Session, nonce), proof.Signature) {
		l.t.Error("the proof does not hold")
	}
	l.sayJoined(hub)
	return join.Token
}

func (l *line) sayJoined(hub signal.Signaler) {
	l.t.Helper()
	l.say(hub, l.joined())
}

func (l *line) joined() signal.Message {
	self := l.cfg.Self
	self.Name = "지우"
	return signal.Message{
		Type: signal.TypeJoined, Room: "방", Self: &self, Limits: &signal.Limits{}, Heartbeat: heartbeat.Milliseconds(),
	}
}

// take takes the next frame as the owner. It must be of type want.
func (l *line) take(want signal.Type) {
	l.t.Helper()
	m := <-l.up.Frames()
	if m.Type != want {
		l.t.Fatalf("got %q, want %q", m.Type, want)
	}
}

// TestUplinkComesBack: frames go both ways in order. After a loss the owner gets the joined
// frame in its place among them.
func TestUplinkComesBack(t *testing.T) {
	inBubble(t, nil, func(l *line, hub signal.Signaler) {
		for i := range 3 {
			l.up.Put(signal.Message{Type: signal.TypeChat, ID: fmt.Sprint(i), Text: "x"})
		}
		for i := range 3 {
			if m := l.receive(hub, signal.TypeChat); m.ID != fmt.Sprint(i) {
				t.Errorf("chat %s in place of %d", m.ID, i)
			}
		}
		start := time.Now()
		_ = hub.Close()
		if err := <-l.lost; err == nil {
			t.Error("lost without a reason")
		}
		if l.up.Online() {
			t.Error("online without a hub")
		}
		l.up.Put(signal.Message{Type: signal.TypePing}) // goes nowhere
		hub = <-l.dials
		if pause := time.Since(start); pause < uplink.FirstRedial/2 || pause > uplink.FirstRedial {
			t.Errorf("dialled again after %v", pause)
		}
		shown := make(chan string)
		go func() { shown <- l.letIn(hub) }()
		l.take(signal.TypeJoined)
		<-shown
		if !l.up.Online() {
			t.Error("not online after the return")
		}
		l.up.Put(signal.Message{Type: signal.TypePong})
		l.receive(hub, signal.TypePong)
	})
}

// takeAgain takes a joined frame that has come again, in its turn.
func (l *line) takeAgain() {
	l.t.Helper()
	select {
	case m := <-l.up.Again():
		if m.Type != signal.TypeJoined || m.Place != 1 {
			l.t.Errorf("got %q, place %d; want joined, place 1", m.Type, m.Place)
		}
	case m := <-l.up.Frames():
		l.t.Fatalf("got %q in place of joined", m.Type)
	}
}

// comesBack checks that the member has given up the connection for a reason, and lets it in again.
func (l *line) comesBack(reason string) (hub signal.Signaler) {
	l.t.Helper()
	select {
	case err := <-l.lost:
		if !strings.Contains(err.Error(), reason) {
			l.t.Errorf("lost: %v, want %s", err, reason)
		}
	case <-l.up.Again():
		l.t.Fatal("the owner got it")
	}
	hub = <-l.dials
	go l.letIn(hub)
	l.take(signal.TypeJoined)
	return hub
}

// TestJoinedAgain: a joined frame that comes again on a connection comes in its turn, apart from those of returns, and as
// often as it may. One beyond that ends the connection, as a malformed one does.
func TestJoinedAgain(t *testing.T) {
	inBubble(t, nil, func(l *line, hub signal.Signaler) {
		again := l.joined()
		again.Place = 1
		for range 2 {
			l.say(hub, signal.Message{Type: signal.TypePong})
			l.say(hub, again)
			l.say(hub, signal.Message{Type: signal.TypePing})
			l.take(signal.TypePong)
			l.takeAgain()
			l.take(signal.TypePing)
		}
		for range 20 { // as often as it may
			time.Sleep(time.Second)
			l.say(hub, again)
			l.takeAgain()
		}
		time.Sleep(8 * time.Second)
		for range 8 { // a storm
			l.say(hub, again)
			l.takeAgain()
		}
		l.say(hub, again)
		hub = l.comesBack("again and again")
		l.say(hub, again) // on the next connection it may
		l.takeAgain()
	})
}

// TestJoinedAgainForOthers: a joined frame for another member or room, or that is malformed, ends the connection. The
// member comes back to the hub.
func TestJoinedAgainForOthers(t *testing.T) {
	other := make(signal.PublicKey, ed25519.PublicKeySize)
	for reason, change := range map[string]func(*signal.Message){
		"took us for": func(m *signal.Message) {
			m.Self = &signal.Member{ID: signal.MemberID(other), PublicKey: other, Session: m.Self.Session}
		},
		"took us to the room":    func(m *signal.Message) { m.Room = "다른 방" },
		"place 2 next to 0":      func(m *signal.Message) { m.Place = 2 },
		"place -1 next to 0":     func(m *signal.Message) { m.Place = -1 },
		"joined needs self":      func(m *signal.Message) { m.Limits = nil },
		"the id does not follow": func(m *signal.Message) { m.Self.PublicKey = other },
	} {
		t.Run(reason, func(t *testing.T) {
			inBubble(t, nil, func(l *line, hub signal.Signaler) {
				again := l.joined()
				change(&again)
				l.say(hub, again)
				l.comesBack(reason)
			})
		})
	}
}

// TestMalformedAnswerToReturn: what is no frame in the answer to a return is no refusal. The member tries again.
func TestMalformedAnswerToReturn(t *testing.T) {
	inBubble(t, nil, func(l *line, hub signal.Signaler) {
		_ = hub.Close()
		if err := <-l.lost; err == nil {
			t.Error("lost without a reason")
		}
		hub = <-l.dials
		l.receive(hub, signal.TypeJoin)
		bad := l.joined()
		bad.Place = 2
		l.say(hub, bad)
		select {
		case hub = <-l.dials:
		case err := <-l.ended:
			t.Fatalf("the Uplink ended: %v", err)
		}
		go l.letIn(hub)
		l.take(signal.TypeJoined)
		_ = hub.Close()
		if err := <-l.lost; err == nil {
			t.Error("lost without a reason")
		}
		hub = <-l.dials
		l.receive(hub, signal.TypeJoin)
		l.say(hub, signal.Message{Type: signal.TypeError, Code: signal.CodeMalformed})
		if err := <-l.ended; !errors.Is(err, &signal.Error{Code: signal.CodeMalformed}) {
			t.Errorf("refused, the Uplink ended with %v", err)
		}
	})
}

// TestUplinkNoticesSilentHub: the heartbeat notices a silent hub, and a nudge does sooner.
func TestUplinkNoticesSilentHub(t *testing.T) {
	for what, bound := range map[string]time.Duration{"has been silent": 3 * heartbeat, "has not answered": time.Second} {
		inBubble(t, nil, func(l *line, hub signal.Signaler) {
			start := time.Now()
			if what == "has not answered" {
				l.up.Nudge()
			}
			l.receive(hub, signal.TypePing)
			if err := <-l.lost; !strings.Contains(err.Error(), what) {
				t.Errorf("lost: %v", err)
			}
			if took := time.Since(start); took > bound {
				t.Errorf("it took %v", took)
			}
		})
	}
	inBubble(t, nil, func(l *line, hub signal.Signaler) {
		for range 5 { // a hub that answers is kept
			l.receive(hub, signal.TypePing)
			l.say(hub, signal.Message{Type: signal.TypePong})
			l.take(signal.TypePong)
		}
		if len(l.lost) > 0 {
			t.Errorf("lost: %v", <-l.lost)
		}
	})
}

// TestUplinkHeedsTheHub: the Uplink comes back as late as the hub asks, even if it is nudged,
// and not at all once the hub has refused for good.
func TestUplinkHeedsTheHub(t *testing.T) {
	inBubble(t, nil, func(l *line, hub signal.Signaler) {
		const later = 20 * time.Second
		start := time.Now()
		l.say(hub, signal.Message{
			Type: signal.TypeBye, From: l.cfg.Self.ID, Reason: signal.ReasonRestart, Retry: later.Milliseconds(),
		})
		if err := <-l.lost; err == nil {
			t.Error("lost without a reason")
		}
		l.up.Nudge()
		again := <-l.dials
		if pause := time.Since(start); pause < later || pause > 2*later {
			t.Errorf("dialled again after %v", pause)
		}
		l.receive(again, signal.TypeJoin)
		l.say(again, signal.Message{Type: signal.TypeError, Code: signal.CodeKicked, Error: "out", About: signal.TypeJoin})
		if err := <-l.ended; !errors.Is(err, &signal.Error{Code: signal.CodeKicked}) {
			t.Errorf("ended: %v", err)
		}
	})
}

// TestUplinkSaysGoodbye: the goodbye is handed over, the hub closes the connection, and it is not dialled again.
func TestUplinkSaysGoodbye(t *testing.T) {
	inBubble(t, nil, func(l *line, hub signal.Signaler) {
		start := time.Now()
		<-l.up.Goodbye()
		if took := time.Since(start); took > 0 {
			t.Errorf("the goodbye was handed over after %v", took)
		}
		l.receive(hub, signal.TypeBye)
		_ = hub.Close()
		<-l.up.Gone()
		if err := <-l.ended; err != nil || len(l.lost) > 0 || len(l.dials) > 0 {
			t.Errorf("ended: %v, %d times lost, %d times dialled", err, len(l.lost), len(l.dials))
		}
		if l.up.Goodbye() != nil {
			t.Error("a goodbye is sent without a hub")
		}
	})
}

// TestUplinkComesBackWithAnotherToken: when its authorisation has ended, the Uplink comes back with
// a new token from its source.
func TestUplinkComesBackWithAnotherToken(t *testing.T) {
	expired := func(l *line) signal.Message {
		return signal.Message{Type: signal.TypeBye, From: l.cfg.Self.ID, Reason: signal.ReasonExpired}
	}
	inBubble(t, nil, func(l *line, hub signal.Signaler) {
		l.say(hub, expired(l))
		l.take(signal.TypeBye) // the owner has to end the Uplink
	})
	tokens := 0
	source := func(ctx context.Context) (string, error) {
		tokens++
		return fmt.Sprint("token ", tokens), ctx.Err()
	}
	inBubble(t, func(c *uplink.Config) { c.TokenSource = source }, func(l *line, hub signal.Signaler) {
		l.say(hub, expired(l))
		if err := <-l.lost; !errors.Is(err, fault.Expired) {
			t.Errorf("lost: %v", err)
		}
		hub = <-l.dials
		shown := make(chan string)
		go func() { shown <- l.letIn(hub) }()
		l.take(signal.TypeJoined)
		if token := <-shown; token != "token 2" {
			t.Errorf("came back with %q", token)
		}
	})
}
