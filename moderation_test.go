package noom_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
	"noom/signal/hub"
)

// authorised has the hub grant by token.
func authorised(grants map[string]hub.Grant) noomtest.Option {
	return noomtest.WithHubConfig(func(int) *hub.Config {
		return &hub.Config{
			RetryAfter: 3 * time.Second,
			Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
				grant, ok := grants[r.Token]
				if !ok {
					return grant, errors.New("no such token")
				}
				if grant.Expires.Equal(minuteAhead) {
					grant.Expires = time.Now().Add(time.Minute)
				}
				return grant, nil
			},
		}
	})
}

// minuteAhead stands for a minute after each join.
var minuteAhead = time.Unix(60, 0)

func TestModeration(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		host := w.join("교실", "지우", &noom.Config{Token: "host"})
		b, c := w.join("교실", "b", nil), w.join("교실", "c", nil)
		until(t, b, connected)
		if me := host.Self(); !me.May(noom.RightKick) {
			t.Errorf("the host may %v", me.Rights)
		}
		p, _ := b.Peer(host.Self().ID)
		if m := p.Member(); !m.May(noom.RightKick) || !m.May(noom.RightPublish) {
			t.Errorf("b sees a host that may %v", m.Rights)
		}
		for what, err := range map[string]error{
			"kick": b.Kick(t.Context(), c.Self().ID), "lock": b.Lock(t.Context()), "unlock": b.Unlock(t.Context()),
			"mute": p.RequestMute(t.Context(), ""), "close": b.CloseForAll(t.Context()),
		} {
			if !errors.Is(err, noom.ErrForbidden) {
				t.Errorf("%s without the right: %v", what, err)
			}
		}

		p, _ = host.Peer(b.Self().ID)
		if err := p.RequestMute(t.Context(), "microphone"); err != nil {
			t.Fatal(err)
		}
		if e := until[noom.MuteRequested](t, b, nil); e.By.ID != host.Self().ID || e.Track != "microphone" {
			t.Errorf("got %+v", e)
		}
		if err := host.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := until[noom.RoomLocked](t, b, nil); !e.Locked || e.By.ID != host.Self().ID || !b.Locked() {
			t.Errorf("got %+v", e)
		}
		if _, err := noom.Join(t.Context(), w.nearHub(), "교실", nil); !errors.Is(err, noom.ErrLocked) {
			t.Errorf("joined a locked room: %v", err)
		}
		if err := host.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e := until[noom.RoomLocked](t, b, nil); e.Locked || host.Locked() {
			t.Errorf("got %+v", e)
		}

		if err := host.Kick(t.Context(), c.Self().ID); err != nil {
			t.Fatal(err)
		}
		if e := until[noom.Closed](t, c, nil); !errors.Is(e.Err, noom.ErrKicked) {
			t.Errorf("c ended with %v", e.Err)
		}
		if e := until[noom.PeerLeft](t, b, nil); e.Reason != noom.ReasonKicked || e.Member.Name != "c" {
			t.Errorf("got %+v", e)
		}
		if err := host.Kick(t.Context(), c.Self().ID); err != nil {
			t.Errorf("kicked twice: %v", err)
		}
		if err := host.Kick(t.Context(), noom.NewIdentity().ID()); !errors.Is(err, &signal.Error{Code: signal.CodeNoSuchMember}) {
			t.Errorf("a stranger was kicked: %v", err)
		}
		if err := host.CloseForAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, r := range []noom.Room{host, b} {
			if e := until[noom.Closed](t, r, nil); !errors.Is(e.Err, noom.ErrRoomClosed) {
				t.Errorf("closed with %v", e.Err)
			}
		}
	}, authorised(map[string]hub.Grant{"host": {Rights: signal.AllRights()}, "": {}}))
}

// TestPublishRight: the hub sees no media, so the others take none from a member that may not publish,
// even if it sends some.
func TestPublishRight(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("r", "a", nil)
		mine := newTestCamera(t)
		viewer := w.join("r", "viewer", &noom.Config{Token: "viewer", Tracks: []noom.LocalTrack{{Track: mine}}})
		until(t, a, connected)
		if _, err := viewer.Publish(t.Context(), newTestCamera(t), nil); !errors.Is(err, noom.ErrForbidden) {
			t.Errorf("published: %v", err)
		}
		p, _ := viewer.Peer(a.Self().ID)
		if _, err := p.Publish(t.Context(), newTestCamera(t), nil); !errors.Is(err, noom.ErrForbidden) {
			t.Errorf("published to one: %v", err)
		}

		// A viewer that thinks it may: its member takes itself for a publisher.
		noom.TakeForPublisher(viewer)
		time.Sleep(5 * time.Second)
		v, _ := a.Peer(viewer.Self().ID)
		if tracks := v.Tracks(); len(tracks) != 0 {
			t.Fatalf("tracks taken from a viewer: %v", tracks)
		}
		// Once it may, what it sends is there without another word from it.
		noom.SetRights(a, v, nil)
		if e := until[noom.TrackAdded](t, a, nil); e.Peer != v {
			t.Errorf("got %+v", e)
		}
		noom.SetRights(a, v, signal.Rights{})
		until[noom.TrackRemoved](t, a, nil)
	}, authorised(map[string]hub.Grant{"viewer": {Rights: signal.Rights{noom.RightChat}}, "": {}}))
}

func TestExpired(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("r", "a", nil)
		once := w.join("r", "once", &noom.Config{Token: "short"})
		asked := 0
		again := w.join("r", "again", &noom.Config{TokenSource: func(context.Context) (string, error) {
			asked++
			return "short", nil
		}})
		until(t, again, connected)
		reach(t, a, again)
		reach(t, again, a)
		sender, err := again.Publish(t.Context(), localTrack("microphone"), nil)
		must(t, err)
		until[noom.TrackAdded](t, a, nil)
		for _, muted := range []bool{true, false} { // tables, which are counted too
			must(t, sender.SetMuted(muted))
			until[noom.TrackMuted](t, a, nil)
		}
		time.Sleep(50 * time.Second)
		if e := until[noom.Closed](t, once, nil); !errors.Is(e.Err, noom.ErrExpired) {
			t.Errorf("ended with %v", e.Err)
		}
		if e := until[noom.SignalingLost](t, again, nil); !errors.Is(e.Err, noom.ErrExpired) {
			t.Errorf("lost: %v", e.Err)
		}
		until[noom.SignalingRestored](t, again, nil)
		if asked != 2 || again.Err() != nil {
			t.Errorf("asked for a token %d times, ended with %v", asked, again.Err())
		}
		if e := until(t, a, func(e noom.PeerLeft) bool { return e.Member.Name == "once" }); e.Reason != noom.ReasonExpired {
			t.Errorf("got %+v", e)
		}
		// It goes on where it was: what was counted before counts still.
		until(t, a, func(e noom.TrackAdded) bool { return e.Peer.ID() == again.Self().ID })
		for range 2 {
			reach(t, a, again)
			reach(t, again, a)
		}
	}, authorised(map[string]hub.Grant{"short": {Expires: minuteAhead}, "": {}}))
}

// A hub that is shut down and comes back: nobody is put out of the room, no
// connection ends, and nobody knocks before it is time.
func TestHubRestart(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		p := a.Peers()[0]
		before := p.Connection()
		down := time.Now()
		w.Hub().Shutdown()
		w.Hub().Start()
		e := until[noom.SignalingLost](t, a, nil)
		if refusal, ok := errors.AsType[*signal.Error](e.Err); !ok || refusal.Code != signal.CodeShuttingDown || refusal.RetryAfter != 3*time.Second {
			t.Errorf("lost: %v", e.Err)
		}
		reach(t, a, b) // meanwhile
		for _, r := range []noom.Room{a, b} {
			until[noom.SignalingRestored](t, r, nil)
			if after := time.Since(down); after < 3*time.Second || after > 7*time.Second {
				t.Errorf("back after %v, told to after 3 s", after)
			}
		}
		if p.State() != noom.PeerConnected || p.Connection() != before {
			t.Errorf("the connection is %v, another one: %v", p.State(), p.Connection() != before)
		}
	}, authorised(map[string]hub.Grant{"": {}}))
}

// TestLockedRoomTakesBack: a locked room takes back a member that it lost.
func TestLockedRoomTakesBack(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		host := w.join("r", "host", &noom.Config{Token: "host"})
		b := w.join("r", "b", nil)
		until(t, b, connected)
		if err := host.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		until[noom.RoomLocked](t, b, nil)
		w.bounce("b")
		until[noom.SignalingRestored](t, b, nil)
		if !b.Locked() || len(b.Peers()) != 1 || b.Peers()[0].State() != noom.PeerConnected {
			t.Errorf("back in a room that is locked: %v, with %d peers", b.Locked(), len(b.Peers()))
		}
	}, authorised(map[string]hub.Grant{"host": {Rights: signal.AllRights()}, "": {}}))
}

func TestKickAndClose(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b, c := w.join("r", "a", nil), w.join("r", "b", nil), w.join("r", "c", nil)
		until(t, a, connected)
		if err := w.Hub().Running().Kick("r", b.Self().ID); err != nil {
			t.Fatal(err)
		}
		if e := until[noom.Closed](t, b, nil); !errors.Is(e.Err, noom.ErrKicked) {
			t.Fatalf("closed with %v", e.Err)
		}
		if e := until[noom.PeerLeft](t, a, nil); e.Reason != noom.ReasonKicked {
			t.Fatalf("got %+v", e)
		}
		w.Hub().Running().CloseRoom("r")
		for _, r := range []noom.Room{a, c} {
			if e := until[noom.Closed](t, r, nil); !errors.Is(e.Err, noom.ErrRoomClosed) {
				t.Fatalf("closed with %v", e.Err)
			}
		}
		if err := a.Chat(t.Context(), "x"); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("chat in a closed room: %v", err)
		}
	})
}
