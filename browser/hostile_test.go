package browser_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"noom/internal/browsertest"
	"noom/signal"
	"noom/transport/ws"
)

// stranger is a member that speaks the protocol by hand.
type stranger struct {
	t       *testing.T
	key     ed25519.PrivateKey
	session string
	line    signal.Signaler
	others  []signal.Member
}

func newStranger(t *testing.T, l *lab, name string) *stranger {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s := &stranger{t: t, key: key, session: signal.NewSession()}
	s.line, err = ws.Dialer{URL: l.url()}.Dial(t.Context())
	must(t, err)
	must(t, s.line.Send(t.Context(), signal.Message{Type: signal.TypeJoin, Room: "데모", Name: name, Key: s.pub(), Session: s.session}))
	joined, err := s.line.Receive(t.Context())
	must(t, err)
	s.others = joined.Members
	go func() { // reads and forgets
		for err == nil {
			_, err = s.line.Receive(context.Background())
		}
	}()
	return s
}

func (s *stranger) pub() signal.PublicKey { return signal.PublicKey(s.key.Public().(ed25519.PublicKey)) }

// say signs a pair frame for the first of the others.
func (s *stranger) say(f signal.Message) {
	s.t.Helper()
	f.To = s.others[0].ID
	f.Signature = ed25519.Sign(s.key, signal.PairText(&f, "데모", signal.MemberID(s.pub())))
	must(s.t, s.line.Send(s.t.Context(), f))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const watchTasks = `window.longest = 0; new PerformanceObserver((l) => { for (const e of l.getEntries()) window.longest = Math.max(window.longest, e.duration); }).observe({ type: 'longtask' });`

func TestCrowdThatComesAndGoes(t *testing.T) {
	l := newLab(t)
	tab := l.open(browsertest.Start(t), watchTasks)
	tab.Do(`enter('하나')`)
	for range 400 {
		s := newStranger(t, l, "x")
		_ = s.line.Close()
		<-time.After(25 * time.Millisecond)
	}
	t.Log(browsertest.Eval[float64](tab, `longest`), browsertest.Eval[int](tab, `connections`))
}
