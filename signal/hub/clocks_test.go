package hub_test

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// A skewed backplane is that of a hub whose clock is wrong. In a bubble all have one clock; so what the hub says when it is
// has to be changed on its way, and what it is told too, which is the same for everybody.
type skewed struct {
	*mem.BusEnd
	ahead time.Duration
}

var (
	instants = regexp.MustCompile(`"(?:until|since)":\[-?\d+`) // seconds
	moments  = regexp.MustCompile(`"(?:at|clock)":\d+`)        // milliseconds
)

func shifted(data []byte, by time.Duration) []byte {
	shift := func(field []byte, by int64) []byte {
		digits := regexp.MustCompile(`-?\d+$`).FindIndex(field)
		n, err := strconv.ParseInt(string(field[digits[0]:]), 10, 64)
		if err != nil {
			panic(err)
		}
		return strconv.AppendInt(field[:digits[0]:digits[0]], n+by, 10)
	}
	data = instants.ReplaceAllFunc(data, func(f []byte) []byte { return shift(f, int64(by/time.Second)) })
	return moments.ReplaceAllFunc(data, func(f []byte) []byte { return shift(f, by.Milliseconds()) })
}

func (s *skewed) Publish(subject string, data []byte) error {
	return s.BusEnd.Publish(subject, shifted(data, s.ahead))
}

func (s *skewed) Subscribe(subject string, f func(data []byte)) (cancel func(), err error) {
	return s.BusEnd.Subscribe(subject, func(data []byte) { f(shifted(data, -s.ahead)) })
}

// A hub whose clock is wrong is one of the hubs all the same, as the owner of a room and as its edge; it is warned of, once,
// also by itself. What is judged by it is until when somebody may be there: by each hub as its own clock says.
func TestFleetWrongClock(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { wrongClock(t, ahead) })
		})
	}
}

func wrongClock(t *testing.T, ahead time.Duration) {
	g := &fleet{t: t}
	var mu sync.Mutex
	warned := map[int]int{}
	until := time.Now().Add(30 * time.Minute) // as the issuer's clock says, of "token"
	for i := range 3 {
		end, wrong := g.bus.Join(), time.Duration(0)
		if i == 2 {
			wrong = ahead
		}
		h, err := hub.Open(&hub.Config{
			Cluster: &hub.Cluster{Backplane: &skewed{end, wrong}},
			Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
				if r.Token == "" {
					return hub.Grant{}, nil
				}
				return hub.Grant{Expires: until.Add(-wrong)}, nil
			},
			Logger: slog.New(logFunc(func(line string) {
				mu.Lock()
				defer mu.Unlock()
				if line == "the clock of another hub, or that of this one, is wrong: authorisations end too early or too late" {
					warned[i]++
				}
			})),
		})
		if err != nil {
			t.Fatal(err)
		}
		g.hubs, g.ends = append(g.hubs, h), append(g.ends, end)
	}
	time.Sleep(10 * time.Second)
	mu.Lock()
	if warned[0] != 1 || warned[1] != 1 || warned[2] != 2 {
		t.Errorf("the hubs have warned %v times", warned)
	}
	mu.Unlock()
	for i, want := range []time.Duration{ahead, ahead, -ahead} {
		if apart := g.hubs[i].Stats().Cluster.ClockApart; (apart - want).Abs() > time.Second {
			t.Errorf("hub %d says that clocks are %v apart, not %v", i, apart, want)
		}
	}

	for owner := range 3 {
		room := g.roomOf(owner, "방")
		var all []*member
		for i, name := range []string{"지우", "민준", "alice"} {
			m := dial(t, g.dialer(i), name)
			if f := m.present(room, ""); f.Type != signal.TypeJoined {
				t.Fatalf("%s hears %+v", name, f)
			}
			for _, other := range all {
				other.expect(signal.TypeWelcome)
			}
			all = append(all, m)
		}
		for i, m := range all {
			chat(strconv.Itoa(i), m, all[(i+1)%3], all[(i+2)%3])
		}
		if n := len(g.hubs[1].Members(room)); n != 3 {
			t.Errorf("hub 1 has %d members", n)
		}
	}

	for i := range g.hubs { // each as its own clock says, whoever has the room
		admitted := i != 2 || ahead < 0
		for owner := range 3 {
			m := dial(t, g.dialer(i), "bob")
			if f := m.present(g.roomOf(owner, "곧"), "until then"); (f.Type == signal.TypeJoined) != admitted || !admitted && f.Code != signal.CodeRefused {
				t.Errorf("at hub %d, of a room at hub %d: %+v", i, owner, f)
			}
			_ = m.link.Close() // it may be closed
		}
	}

	room := g.roomOf(2, "문")
	a, b := dial(t, g.dialer(0), "지우"), dial(t, g.dialer(2), "bob")
	a.present(room, "")
	b.present(room, "")
	a.expect(signal.TypeWelcome)
	if err := g.hubs[1].Lock(room); err != nil {
		t.Fatal(err)
	}
	a.expect(signal.TypeLocked)
	b.expect(signal.TypeLocked)
	g.kill(2) // who had the room
	for again := false; !again; {
		f := a.expectOneOf(signal.TypeJoined, signal.TypeBye, signal.TypePing)
		again = f.Type == signal.TypeJoined && f.Locked
	}
	back := dial(t, g.dialer(1), "bob")
	back.session = b.session
	if joined := back.present(room, ""); len(joined.Members) != 1 {
		t.Errorf("it hears %+v", joined)
	}
	g.end()
}

// present asks to join a room of hubs that authorise. It returns the answer.
func (m *member) present(room, token string) signal.Message {
	m.tb.Helper()
	key := signal.PublicKey(m.key[ed25519.SeedSize:])
	m.send(signal.Message{Type: signal.TypeJoin, Room: room, Name: "손님", Session: m.session, Key: key, Token: token})
	m.prove("", room, m.expect(signal.TypeChallenge))
	return m.expectOneOf(signal.TypeJoined, signal.TypeError)
}
