package uplink_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/internal/uplink"
	"noom/signal"
)

// named is a connection to the hub of that name.
type named struct {
	signal.Signaler

	name string
}

func (n named) Endpoint() string { return n.name }

// cluster is several hubs, which rooms try in the order of their names. The first is one that has no address.
type cluster struct {
	signal.Dialer // of any of them

	asked []string // the hubs that were dialled
	times []time.Time
	down  map[string]error
}

func errDown(name string) error { return fmt.Errorf("nothing listens at %s", name) }

// Hubs implements [signal.HubsDialer].
func (c *cluster) Hubs(room string) []signal.HubDialer {
	if room != "방" {
		return nil
	}
	var list []signal.HubDialer
	for _, name := range []string{"", "나", "c"} {
		list = append(list, signal.HubDialer{URL: "ws://" + name, Dialer: signal.DialerFunc(func(ctx context.Context) (signal.Signaler, error) {
			c.asked, c.times = append(c.asked, name), append(c.times, time.Now())
			if err := c.down[name]; err != nil {
				return nil, err
			}
			s, err := c.Dialer.Dial(ctx)
			return named{s, name}, err
		})})
	}
	return list
}

// letIn lets a member in at the hub that it has dialled last.
func (c *cluster) letIn(l *line, hub signal.Signaler) { l.letInAt(hub, c.asked[len(c.asked)-1]) }

// atSeveral runs f at the first hub of several.
func atSeveral(t *testing.T, f func(l *line, c *cluster, hub signal.Signaler)) {
	t.Helper()
	c := &cluster{down: map[string]error{}}
	inBubble(t, func(cfg *uplink.Config) { c.Dialer, cfg.Dialer = cfg.Dialer, c }, func(l *line, hub signal.Signaler) { f(l, c, hub) })
}

// TestSeveralHubs: a lost member comes back to its hub if that is there, otherwise to the next, with a proof for that. One
// that has failed is tried last for half a minute, and the first again after that.
func TestSeveralHubs(t *testing.T) {
	atSeveral(t, func(l *line, c *cluster, hub signal.Signaler) {
		back := func(want ...string) {
			t.Helper()
			c.asked = nil
			_ = hub.Close()
			if err := <-l.lost; err == nil {
				t.Error("lost without a reason")
			}
			hub = <-l.dials
			go c.letIn(l, hub)
			l.take(signal.TypeJoined)
			if !slices.Equal(c.asked, want) {
				t.Errorf("dialled %q, want %q", c.asked, want)
			}
		}
		back("")
		c.down[""] = errDown("")
		back("", "나")
		back("나")
		c.down["나"] = errDown("나")
		back("나", "c")
		back("c")
		delete(c.down, "")
		for range 4 {
			l.say(hub, signal.Message{Type: signal.TypePong})
			l.take(signal.TypePong)
			time.Sleep(8 * time.Second)
		}
		back("")
	})
}

// TestHubThatRestarts: a hub that sends its members away for a while loses them to the next at once, and is not dialled
// before that time, however many others fail.
func TestHubThatRestarts(t *testing.T) {
	const stay = 10 * time.Second
	atSeveral(t, func(l *line, c *cluster, hub signal.Signaler) {
		began := time.Now()
		c.asked, c.times = nil, nil
		c.down["나"], c.down["c"] = errDown("나"), &signal.Error{Code: signal.CodeHubFull, RetryAfter: stay / 2}
		l.say(hub, signal.Message{Type: signal.TypeBye, From: l.cfg.Self.ID, Session: l.cfg.Self.Session, Reason: signal.ReasonRestart, Retry: stay.Milliseconds()})
		if err := <-l.lost; err == nil {
			t.Error("lost without a reason")
		}
		hub = <-l.dials
		go c.letIn(l, hub)
		l.take(signal.TypeJoined)
		for i, name := range c.asked {
			since := c.times[i].Sub(began)
			switch {
			case i == 0 && (name != "나" || since > uplink.FirstRedial), name == "" && since < stay, since > 2*stay+l.cfg.RedialMax: // it has its own pause between two rounds
				t.Errorf("dialled %s after %v", name, since)
			}
		}
	})
}

// TestNoHubOfSeveral: the error of a first join names each hub; what is refused for good is asked of no other.
func TestNoHubOfSeveral(t *testing.T) {
	refused := &signal.Error{Code: signal.CodeRefused, Message: "no"}
	for _, test := range []struct {
		first error
		asked []string
	}{{errDown(""), []string{"", "나", "c"}}, {refused, []string{""}}} {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		public := signal.PublicKey(key.Public().(ed25519.PublicKey))
		c := &cluster{down: map[string]error{"": test.first, "나": errDown("나"), "c": &signal.Error{Code: signal.CodeHubFull}}}
		_, err = uplink.New(configOf(c, public, key)).Join(t.Context(), nil)
		if !slices.Equal(c.asked, test.asked) {
			t.Errorf("dialled %q, want %q", c.asked, test.asked)
		}
		all, several := errors.AsType[*signal.HubsError](err)
		if several != (len(test.asked) > 1) || uplink.IsFinal(err) == several {
			t.Fatalf("%v, several %v", err, several)
		}
		if several {
			for i, name := range test.asked {
				if f := all.Failures[i]; f.URL != "ws://"+name || !errors.Is(f.Err, c.down[name]) || !strings.Contains(err.Error(), f.URL+": "+f.Err.Error()) {
					t.Errorf("%s: %+v in %v", name, f, err)
				}
			}
		}
	}
}
