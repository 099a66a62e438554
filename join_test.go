package noom_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

func TestJoinRefusesBadInput(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		for name, try := range map[string]struct {
			room string
			cfg  *noom.Config
			code signal.Code
		}{
			"no room name":     {"", nil, signal.CodeBadRoom},
			"room of 10 kB":    {strings.Repeat("방", 3400), nil, signal.CodeBadRoom},
			"name of 10 kB":    {"r", &noom.Config{Name: strings.Repeat("x", 10_000)}, signal.CodeBadName},
			"bidi in a name":   {"r", &noom.Config{Name: "a\u202eb"}, signal.CodeBadName},
			"invalid UTF-8":    {"r", &noom.Config{Name: "\xff"}, signal.CodeBadName},
			"huge token":       {"r", &noom.Config{Token: strings.Repeat("x", 5000)}, ""},
			"tiny event queue": {"r", &noom.Config{EventBuffer: 1}, ""},
			"short timeout":    {"r", &noom.Config{ConnectTimeout: time.Millisecond}, ""},
			"no track":         {"r", &noom.Config{Tracks: []noom.LocalTrack{{Name: "x"}}}, ""},
		} {
			_, err := noom.Join(t.Context(), w.nearHub(), try.room, try.cfg)
			var join *noom.JoinError
			if !errors.As(err, &join) || try.code != "" && !errors.Is(err, &signal.Error{Code: try.code}) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := noom.Join(t.Context(), nil, "r", nil); err == nil {
			t.Error("joined without a Dialer")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := noom.Join(ctx, w.nearHub(), "r", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
		silent := signal.DialerFunc(func(context.Context) (signal.Signaler, error) {
			client, _ := mem.Pipe()
			return client, nil
		})
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := noom.Join(ctx, silent, "r", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("at a silent hub: %v", err)
		}
	})
}

// TestNames: what a person types in decomposed form is the same room and name.
func TestNames(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		const decomposed = "\u1103\u1166\u1106\u1169" // 데모
		a, b := w.join("데모", " 지우 ", nil), w.join(decomposed, "bob", nil)
		e := until[noom.PeerJoined](t, b, nil)
		if !e.Existing || e.Peer.ID() != a.Self().ID || e.Peer.Name() != "지우" || b.Name() != "데모" {
			t.Fatalf("got %+v in %q", e, b.Name())
		}
		if e := until[noom.PeerJoined](t, a, nil); e.Existing || e.Peer.Member().ID != b.Self().ID {
			t.Fatalf("got %+v", e)
		}
	})
}

func TestSameIdentityReplaces(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		id := noom.NewIdentity()
		old := w.join("r", "old", &noom.Config{Identity: id})
		other := w.join("r", "other", nil)
		until(t, other, connected)
		again := w.join("r", "new", &noom.Config{Identity: id})
		if e := until[noom.Closed](t, old, nil); !errors.Is(e.Err, noom.ErrReplaced) || !errors.Is(old.Err(), noom.ErrReplaced) {
			t.Fatalf("the old one closed with %v", e.Err)
		}
		until(t, again, connected)
		until[noom.PeerLeft](t, other, nil)
		until(t, other, connected)
		if peers := other.Peers(); len(peers) != 1 || peers[0].ID() != id.ID() || peers[0].Name() != "new" {
			t.Fatalf("other sees %v", peers)
		}
	})
}

func TestVerify(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		friend := noom.NewIdentity()
		a := w.join("r", "a", &noom.Config{Verify: func(m noom.Member) error {
			if m.ID != friend.ID() {
				return errors.New("a stranger")
			}
			return nil
		}})
		stranger := w.join("r", "a friend, honestly", nil)
		w.join("r", "x", &noom.Config{Identity: friend})
		if e := until[noom.PeerJoined](t, a, nil); e.Peer.ID() != friend.ID() {
			t.Fatal("a stranger was let in")
		}
		until(t, a, connected)
		if p, _ := stranger.Peer(a.Self().ID); p.State() == noom.PeerConnected || len(a.Peers()) != 1 {
			t.Fatal("a stranger is connected")
		}
	})
}

func TestIdentity(t *testing.T) {
	id := noom.NewIdentity()
	same, err := noom.IdentityFromSeed(id.Seed())
	if err != nil || same.ID() != id.ID() || len(id.ID()) != 26 {
		t.Fatalf("%v %v %v", same, id, err)
	}
	if _, err := noom.IdentityFromSeed([]byte("short")); err == nil {
		t.Fatal("a short seed was taken")
	}
	if (noom.Identity{}).ID() != "" || (noom.Identity{}).Seed() != nil {
		t.Fatal("the zero Identity has an id")
	}
}

// A token for a hub that wants none is said to be of no use, once; one that the hub wants is not.
func TestTokenThatIsNotWanted(t *testing.T) {
	for name, authorize := range map[string]func(context.Context, hub.Request) (hub.Grant, error){
		"a hub that wants none": nil,
		"a hub that wants one":  func(context.Context, hub.Request) (hub.Grant, error) { return hub.Grant{}, nil },
	} {
		h := hub.New(&hub.Config{Authorize: authorize})
		for _, token := range []string{"", "비밀"} {
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			room, err := noom.Join(t.Context(), mem.Dialer(h), "데모", &noom.Config{Token: token, Logger: logger})
			if err != nil {
				t.Fatal(err)
			}
			_ = room.Leave(t.Context()) // it is only about coming in
			warned := strings.Contains(log.String(), "wants no token") && !strings.Contains(log.String(), "비밀")
			if want := authorize == nil && token != ""; warned != want {
				t.Errorf("%s, token %q: logged %q", name, token, &log)
			}
		}
	}
}

// TestDialTimeout: a first join without a deadline gives up a hub that says nothing after DialTimeout, 10 s by default.
func TestDialTimeout(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 10 * time.Second, time.Second: time.Second} {
		synctest.Test(t, func(t *testing.T) {
			silent := signal.DialerFunc(func(ctx context.Context) (signal.Signaler, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})
			began := time.Now()
			_, err := noom.Join(t.Context(), silent, "데모", &noom.Config{DialTimeout: timeout})
			if took := time.Since(began); took != want || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("DialTimeout %v: %v after %v", timeout, err, took)
			}
		})
	}
}
