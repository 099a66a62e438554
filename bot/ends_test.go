package bot_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/bot"
	"noom/noomtest"
	"noom/signal"
	"noom/signal/hub"
)

// TestRejoin: what is not final is tried again, with another token and as the same member.
func TestRejoin(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a := w.Join("방", &noom.Config{Name: "a"})
		own := w.Hub().Running()
		if err := own.Lock("방"); err != nil {
			t.Fatal(err)
		}
		var d diary
		r := run(t, w, bot.Handlers{}, func(c *bot.Config) {
			c.Join.TokenSource = func(context.Context) (string, error) {
				d.note("%v", w.Elapsed().Round(time.Second))
				return "말", nil
			}
		})
		time.Sleep(20 * time.Second)
		if n := len(d.take()); n < 8 || n > 25 {
			t.Errorf("%d attempts in 20 s, want one every one to two seconds in the end", n)
		}
		select {
		case err := <-r.ended:
			t.Fatalf("a locked room ended it: %v", err)
		default:
		}
		if err := own.Unlock("방"); err != nil {
			t.Fatal(err)
		}
		bot := noomtest.Await(w, a, func(noom.PeerJoined) bool { return true }).Peer
		if err := own.Kick("방", bot.ID()); err != nil {
			t.Fatal(err)
		}
		if err := <-r.ended; !errors.Is(err, noom.ErrKicked) {
			t.Errorf("%v, want ErrKicked", err)
		}
	})
}

// TestExpiry: a bot whose authorisation ends stays with new tokens of a TokenSource, and is over without one.
func TestExpiry(t *testing.T) {
	short := func(int) *hub.Config {
		return &hub.Config{Authorize: func(_ context.Context, _ hub.Request) (hub.Grant, error) {
			return hub.Grant{Expires: time.Now().Add(10 * time.Second)}, nil
		}}
	}
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		var d diary
		r := run(t, w, bot.Handlers{Entered: func(context.Context, noom.Room) { d.note("entered") }}, func(c *bot.Config) {
			c.Join.TokenSource = func(context.Context) (string, error) {
				d.note("token")
				return "말", nil
			}
		})
		time.Sleep(55 * time.Second)
		got := d.take()
		slices.Sort(got)
		expect(t, "with a TokenSource", got, "entered", "token", "token", "token", "token", "token", "token")
		if members := w.Hub().Running().Members("방"); len(members) != 1 {
			t.Errorf("%d members, want the bot", len(members))
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
		if err := <-run(t, w, bot.Handlers{}, nil).ended; !errors.Is(err, noom.ErrExpired) {
			t.Errorf("without one: %v, want ErrExpired", err)
		}
	}, noomtest.WithHubConfig(short))
}

// TestFinalEnds: what another try would not change is what Run returns.
func TestFinalEnds(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a := w.Join("방", &noom.Config{Name: "a"})
		for what, change := range map[string]func(*bot.Config){
			"an ICE server": func(c *bot.Config) { c.Join.ICEServers = []webrtc.ICEServer{{URLs: []string{"?"}}} },
			"a room":        func(c *bot.Config) { c.Room = strings.Repeat("방", 200) },
			"a backlog":     func(c *bot.Config) { c.Backlog = -1 },
			"no hub":        func(c *bot.Config) { c.Dialer = nil },
		} {
			if err := <-run(t, w, bot.Handlers{}, change).ended; err == nil {
				t.Errorf("%s that cannot be right was taken", what)
			}
		}
		refused := signal.DialerFunc(func(context.Context) (noom.Signaler, error) {
			return nil, &signal.Error{Code: signal.CodeRefused, Message: "not you"}
		})
		err := <-run(t, w, bot.Handlers{}, func(c *bot.Config) { c.Dialer = refused }).ended
		if _, ok := errors.AsType[*noom.JoinError](err); !ok || !errors.Is(err, &signal.Error{Code: signal.CodeRefused}) {
			t.Errorf("%v, want the refusal", err)
		}
		r := run(t, w, bot.Handlers{}, nil)
		noomtest.Await(w, a, func(noom.PeerJoined) bool { return true })
		w.Hub().Running().CloseRoom("방")
		if err := <-r.ended; !errors.Is(err, noom.ErrRoomClosed) {
			t.Errorf("%v, want ErrRoomClosed", err)
		}
	})
}

// TestGoodbye: the end of the context is a goodbye, and so is Leave in a handler; a handler that does not return is
// reported in time.
func TestGoodbye(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a := w.Join("방", &noom.Config{Name: "a"})
		gone := func() {
			t.Helper()
			if e := noomtest.Await(w, a, func(noom.PeerLeft) bool { return true }); e.Reason != noom.ReasonLeft {
				t.Errorf("the bot left for %s", e.Reason)
			}
		}
		r := run(t, w, bot.Handlers{}, nil)
		noomtest.Await(w, a, connected)
		if err := r.end(); err != nil {
			t.Error(err)
		}
		gone()

		r = run(t, w, bot.Handlers{Chat: func(ctx context.Context, room noom.Room, _ noom.ChatReceived) { _ = room.Leave(ctx) }}, nil)
		noomtest.Await(w, a, connected)
		if err := a.Chat(t.Context(), "안녕"); err != nil {
			t.Fatal(err)
		}
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
		gone()

		free := make(chan struct{})
		defer close(free)
		r = run(t, w, bot.Handlers{Entered: func(context.Context, noom.Room) { <-free }}, nil)
		noomtest.Await(w, a, connected)
		began := time.Now()
		if err := r.end(); !errors.Is(err, bot.ErrBusy) || time.Since(began) != 6*time.Second {
			t.Errorf("%v after %v, want ErrBusy after 6 s", err, time.Since(began))
		}
		gone()
	})
}

// TestQuestions: questions are answered beside each other, each topic where it belongs, and at the end of the bot none is
// handed out any longer.
func TestQuestions(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		var d diary
		a := w.Join("방", &noom.Config{Name: "지우"})
		r := run(t, w, bot.Handlers{
			Entered: func(_ context.Context, room noom.Room) {
				if err := room.Handle("own", func(context.Context, noom.Peer, []byte) ([]byte, error) { return []byte("own"), nil }); err != nil {
					t.Error(err)
				}
			},
			Question: func(ctx context.Context, room noom.Room, q bot.Question) ([]byte, error) {
				switch q.Topic {
				case "인사":
					return []byte(room.Name() + ": 안녕, " + q.Peer.Name() + string(q.Data)), nil
				case "wait":
					d.note("waits")
					<-ctx.Done()
					time.Sleep(time.Second)
					d.note("over")
					return nil, ctx.Err()
				}
				return nil, noom.ErrNotHandled
			},
		}, nil)
		noomtest.Await(w, a, connected)
		to := a.Peers()[0]
		waits := make(chan error, 2)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, ctx := range []context.Context{short, t.Context()} {
			go func() {
				_, err := to.Ask(ctx, "wait", nil)
				waits <- err
			}()
		}
		if got, err := to.Ask(t.Context(), "인사", []byte("!")); err != nil || string(got) != "방: 안녕, 지우!" {
			t.Errorf("%q, %v", got, err)
		}
		if got, err := to.Ask(t.Context(), "own", nil); err != nil || string(got) != "own" {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := to.Ask(t.Context(), "nobody's", nil); !errors.Is(err, noom.ErrNotHandled) {
			t.Error(err)
		}
		if err := <-waits; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		expect(t, "meanwhile", d.take(), "waits", "waits", "over")
		began := time.Now()
		if err := r.end(); err != nil || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := <-waits; err == nil {
			t.Error("a question outlives the bot")
		}
		expect(t, "in the end", d.take(), "over")
	})
}
