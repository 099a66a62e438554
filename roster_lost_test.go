package noom_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
	"noom/signal/hub"
)

// TestEvaders: a member that cuts its line to the hub and keeps its connections is kicked, and sent away
// when its time is over, as if it had not.
func TestEvaders(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		host := w.join("r", "host", &noom.Config{Token: "host"})
		begun := time.Now()
		evader := w.join("r", "evader", nil)
		brief := w.join("r", "brief", &noom.Config{Token: "minute"})
		for range 2 {
			until(t, host, connected)
		}
		until(t, brief, connected)
		w.CutSignaling("evader")
		w.CutSignaling("brief")
		time.Sleep(5 * time.Second)
		reach(t, evader, host)
		if err := host.Kick(t.Context(), evader.Self().ID); err != nil {
			t.Error(err)
		}
		if e := until[noom.PeerLeft](t, host, nil); e.Reason != noom.ReasonKicked || e.Member.ID != evader.Self().ID {
			t.Errorf("%s is gone: %s", e.Member.Name, e.Reason)
		}
		e := until[noom.PeerLeft](t, host, nil)
		if after := time.Since(begun).Round(time.Second); e.Reason != noom.ReasonExpired || e.Member.ID != brief.Self().ID || after != time.Minute {
			t.Errorf("%s is gone after %v: %s", e.Member.Name, after, e.Reason)
		}
	}, authorised(map[string]hub.Grant{"host": {Rights: signal.AllRights()}, "": {}, "minute": {Expires: minuteAhead}}))
}

// TestKickMissed: a member that is without the hub while another is kicked drops that one when it is back.
func TestKickMissed(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		host := w.join("r", "host", &noom.Config{Token: "host"})
		a, evader := w.join("r", "a", nil), w.join("r", "evader", nil)
		for _, r := range []noom.Room{a, a, evader, evader} {
			until(t, r, connected)
		}
		w.CutSignaling("a")
		w.CutSignaling("evader")
		time.Sleep(time.Second)
		if err := host.Kick(t.Context(), evader.Self().ID); err != nil {
			t.Error(err)
		}
		reach(t, evader, a) // which does not know of it
		w.HealSignaling("a")
		if e := until[noom.PeerLeft](t, a, nil); e.Reason != noom.ReasonKicked || e.Member.ID != evader.Self().ID {
			t.Errorf("%s is gone: %s", e.Member.Name, e.Reason)
		}
		if n := len(a.Peers()); n != 1 {
			t.Errorf("%d peers are left", n)
		}
	}, authorised(map[string]hub.Grant{"host": {Rights: signal.AllRights()}, "": {}}))
}

// TestKickAfterRestart: a hub that was started again knows no member that has not come back. A kick
// reaches even those.
func TestKickAfterRestart(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		host := w.join("r", "host", &noom.Config{Token: "host"})
		evader := w.join("r", "evader", nil)
		b := w.join("r", "b", nil)
		for _, r := range []noom.Room{host, b, host, b} {
			until(t, r, connected)
		}
		w.CutSignaling("evader")
		w.Hub().Shutdown()
		w.Hub().Start()
		for _, r := range []noom.Room{host, b} {
			until[noom.SignalingRestored](t, r, nil)
			if n := len(r.Peers()); n != 2 {
				t.Fatalf("%d peers, want 2: a call outlives its hub", n)
			}
		}
		if err := host.Kick(t.Context(), evader.Self().ID); err != nil {
			t.Error(err)
		}
		for _, r := range []noom.Room{host, b} {
			if e := until[noom.PeerLeft](t, r, nil); e.Reason != noom.ReasonKicked || e.Member.ID != evader.Self().ID {
				t.Errorf("%s is gone: %s", e.Member.Name, e.Reason)
			}
		}
	}, authorised(map[string]hub.Grant{"host": {Rights: signal.AllRights()}, "": {}}))
}

// TestGhosts: peers that the hub has lost stay while their connection lives, but take nobody's place: beyond
// what the room holds, those go that were lost first. One that comes back after that goes on as before.
func TestGhosts(t *testing.T) {
	const places = 4
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		host := w.join("r", "host", nil)
		var ghosts []noom.Room
		for _, name := range []string{"하나", "둘", "셋", "넷", "다섯", "여섯"} {
			ghost := w.join("r", name, nil)
			until(t, ghost, connected)
			w.CutSignaling(name)
			ghosts = append(ghosts, ghost)
			time.Sleep(time.Second)
			if n := len(host.Peers()); n > places-1 {
				t.Fatalf("%d peers in a room of %d", n, places)
			}
		}
		for i, ghost := range ghosts {
			if _, there := host.Peer(ghost.Self().ID); there != (i >= 3) {
				t.Errorf("%s is there: %v", ghost.Self().Name, there)
			}
		}
		late := w.join("r", "late", nil)
		until(t, late, connected)
		if _, there := host.Peer(ghosts[3].Self().ID); there {
			t.Error("a newcomer found no place")
		}
		w.HealSignaling("하나")
		until[noom.SignalingRestored](t, ghosts[0], nil)
		reach(t, ghosts[0], host)
		reach(t, host, ghosts[0])
	}, noomtest.WithHubConfig(func(int) *hub.Config {
		return &hub.Config{Limits: signal.Limits{Members: places}}
	}))
}

func TestSignalingLostAndRestored(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		b := w.join("r", "b", nil)
		a := w.join("r", "a", nil)
		until(t, a, connected)
		until(t, b, connected)
		pa, _ := a.Peer(b.Self().ID)
		before := pa.Connection()

		w.CutSignaling("a")
		until[noom.SignalingLost](t, a, nil)
		said := make(chan error, 1)
		go func() { said <- a.Chat(t.Context(), "말했어") }()
		if err := a.Send(t.Context(), []byte("in-band")); err != nil {
			t.Fatal(err)
		}
		if e := until[noom.DataReceived](t, b, nil); string(e.Data) != "in-band" {
			t.Fatalf("got %q", e.Data)
		}
		if _, err := a.Publish(t.Context(), newTestCamera(t), nil); err != nil {
			t.Fatal(err)
		}
		until[noom.TrackAdded](t, b, nil) // negotiated without a hub
		w.HealSignaling("a")
		until[noom.SignalingRestored](t, a, nil)
		if err := <-said; err != nil {
			t.Fatal(err)
		}
		if e := until[noom.ChatReceived](t, b, nil); e.Text != "말했어" {
			t.Fatalf("got %q", e.Text)
		}
		if pb, ok := b.Peer(a.Self().ID); !ok || pb.State() != noom.PeerConnected || pa.Connection() != before {
			t.Fatal("the call did not go on as it was")
		}
	})
}

// TestReturnOfTheLost: a member that was lost with hub and path, and dropped,
// comes back with the same session; epochs and data go on where they were.
func TestReturnOfTheLost(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		a := w.join("r", "a", nil)
		b := w.join("r", "b", nil)
		camera := newTestCamera(t)
		go film(ctx, camera)
		if _, err := b.Publish(t.Context(), camera, nil); err != nil {
			t.Fatal(err)
		}
		until(t, a, connected)
		until(t, b, connected)
		lost, _ := b.Peer(a.Self().ID)
		if err := lost.Send(t.Context(), []byte("1")); err != nil {
			t.Fatal(err)
		}
		until[noom.DataReceived](t, a, nil)

		w.Cut()
		w.CutSignaling("b")
		if err := lost.Send(t.Context(), []byte("2")); err != nil {
			t.Fatal(err)
		}
		until[noom.PeerLeft](t, a, nil)
		time.Sleep(time.Minute)
		w.Heal()
		w.HealSignaling("b")
		healed := time.Now()
		if e := until[noom.PeerJoined](t, a, nil); e.Peer.ID() != b.Self().ID {
			t.Fatalf("got %+v", e)
		}
		if e := until[noom.DataReceived](t, a, nil); string(e.Data) != "2" {
			t.Fatalf("got %q", e.Data)
		}
		t.Logf("data again %v after the outage", time.Since(healed))
		receives(t, a, b.Self().ID, "camera")
	})
}

// TestReturnOfOneWhoLookedAway: a member that comes back has said nothing yet of what it shows.
func TestReturnOfOneWhoLookedAway(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		w.Settle()
		tracks, _ := watched(t, w, a, w.Video(nil), nil, b)
		tracks[0].Want(0)
		time.Sleep(time.Second)
		if height := wantedOf(t, a, b, tracks[0]); height != 0 {
			t.Fatalf("%d is wanted", height)
		}
		w.Cut()
		w.CutSignaling("b")
		until[noom.PeerLeft](t, a, nil)
		time.Sleep(time.Minute)
		w.HealSignaling("b")
		until[noom.PeerJoined](t, a, nil)
		time.Sleep(time.Millisecond) // what b says takes longer
		if height := wantedOf(t, a, b, tracks[0]); height != -1 {
			t.Errorf("%d is wanted by one who has not said so", height)
		}
	}, noomtest.WithSignalingLatency(20*time.Millisecond))
}

// TestDropComesTooLate: the hub has met the member again while its link was
// asking for it to be dropped.
func TestDropComesTooLate(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		p, _ := a.Peer(b.Self().ID)
		noom.Drop(p)
		time.Sleep(time.Second)
		if q, ok := a.Peer(b.Self().ID); !ok || q != p || p.State() != noom.PeerConnected {
			t.Fatal("a member that is at the hub was dropped")
		}
	})
}

func TestLostPeerIsDroppedWhenItsConnectionIsDead(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		// b dies: its host falls silent, then the hub misses it.
		p, _ := a.Peer(b.Self().ID)
		cut := time.Now()
		w.Cut()
		time.Sleep(time.Second)
		w.CutSignaling("b")
		time.Sleep(time.Second)
		if p.State() != noom.PeerConnected {
			t.Fatalf("%s as soon as the hub lost it", p.State())
		}
		if e := until[noom.PeerLeft](t, a, nil); e.Reason != noom.ReasonLost || len(a.Peers()) != 0 {
			t.Fatalf("got %+v", e)
		}
		if d := time.Since(cut); d > 20*time.Second {
			t.Errorf("dropped after %v", d)
		}
		_, opened := p.OpenChannel(t.Context(), "c", nil)
		for i, err := range []error{p.Send(t.Context(), nil), p.RestartICE(t.Context()), opened} {
			if !errors.Is(err, noom.ErrClosed) {
				t.Errorf("call %d to a peer that was lost: %v", i, err)
			}
		}
	})
}

// A peer whose browser has said that its page goes away is kept like one that is lost, because the page may be back. Once
// its connection is dead, it has left.
func TestLostPeerWhosePageGoesAway(t *testing.T) {
	for name, c := range map[string]struct {
		back bool // for a moment; then the hub loses it without a word
		want noom.Reason
	}{
		"and stays away":             {false, noom.ReasonLeft},
		"and is back, and then lost": {true, noom.ReasonLost},
	} {
		t.Run(name, func(t *testing.T) {
			inDeceit(t, func(t *testing.T, d *deceit) {
				bob := d.b.Self()
				bye := signal.Message{Type: signal.TypeBye, From: bob.ID, Session: bob.Session, Reason: noom.ReasonLost}
				leaving := bye
				leaving.Leaving = true
				d.say(leaving)
				if c.back {
					d.say(signal.Message{Type: signal.TypeWelcome, Member: &bob})
					d.say(bye)
				}
				time.Sleep(5 * time.Second)
				if d.bob().State() != noom.PeerConnected {
					t.Fatal("the call has ended with the hub's word")
				}
				d.w.Cut()
				left := until(t, d.a, func(e noom.PeerLeft) bool { return e.Member.ID == bob.ID })
				if left.Reason != c.want {
					t.Errorf("%q, want %q", left.Reason, c.want)
				}
			})
		})
	}
}
