package noom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"noom"
	"noom/signal"
)

func TestTwoMembers(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		start := time.Now()
		a := w.join("데모", "지우", nil)
		b := w.join("데모", "bob", nil)
		until(t, a, connected)
		until(t, b, connected)
		t.Logf("connected after %v of virtual time", time.Since(start))
		if err := a.Send(t.Context(), []byte("안녕")); err != nil {
			t.Fatal(err)
		}
		e := until[noom.DataReceived](t, b, nil)
		if string(e.Data) != "안녕" || e.Peer.Name() != "지우" || e.Peer.ID() != a.Self().ID {
			t.Fatalf("got %q from %q", e.Data, e.Peer.Name())
		}
	})
}

// camera is a VP8 source whose frames are all key frames.
func newTestCamera(t *testing.T) *webrtc.TrackLocalStaticSample {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "camera", "test")
	if err != nil {
		t.Fatal(err)
	}
	return track
}

// film writes frames to a camera until ctx ends.
func film(ctx context.Context, track *webrtc.TrackLocalStaticSample) {
	filmEvery(ctx, track, 40*time.Millisecond)
}

func filmEvery(ctx context.Context, track *webrtc.TrackLocalStaticSample, pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	frame := append([]byte{0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 16, 0, 16, 0}, make([]byte, 100)...)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = track.WriteSample(media.Sample{Data: frame, Duration: pause})
		}
	}
}

// receives waits until packets of the track that peer id sends arrive at r.
func receives(t *testing.T, r noom.Room, id, name string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if p, ok := r.Peer(id); ok {
			for _, track := range p.Tracks() {
				if track.Name() == name {
					if _, err := track.ReadRTP(); err != nil {
						t.Fatalf("%s reads %s: %v", r.Self().Name, name, err)
					}
					return
				}
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s never sees %s of %s", r.Self().Name, name, id)
}

func TestPublish(t *testing.T) {
	for n := 2; n <= 8; n += 3 {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				var rooms []noom.Room
				for i := range n {
					track := newTestCamera(t)
					go film(ctx, track)
					var cfg noom.Config
					if i%2 == 0 {
						cfg.Tracks = []noom.LocalTrack{{Name: "camera", Track: track}}
					}
					r := w.join("데모", fmt.Sprint("member ", i), &cfg)
					if i%2 == 1 {
						if _, err := r.Publish(ctx, track, nil); err != nil {
							t.Fatal(err)
						}
					}
					rooms = append(rooms, r)
				}
				for _, r := range rooms {
					for _, o := range rooms {
						if r != o {
							receives(t, r, o.Self().ID, "camera")
						}
					}
				}
			})
		})
	}
}

func TestAllJoinAtOnce(t *testing.T) {
	const n = 6
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		rooms := make([]noom.Room, n)
		errs := make(chan error, n)
		for i := range n {
			track := newTestCamera(t)
			go film(ctx, track)
			name := fmt.Sprint(i)
			cfg, dialer := w.config(name, &noom.Config{Tracks: []noom.LocalTrack{{Track: track}}}), w.Dialer(name)
			go func() {
				var err error
				rooms[i], err = noom.Join(ctx, dialer, "lobby", cfg)
				errs <- err
			}()
		}
		for range n {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range rooms {
			w.leaveAtEnd(r)
			for _, o := range rooms {
				if r != o {
					receives(t, r, o.Self().ID, "camera")
				}
			}
		}
	})
}

func TestUnpublishAndPublishAgain(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		track := newTestCamera(t)
		go film(ctx, track)
		var sections int
		for i := range 5 {
			s, err := a.Publish(ctx, track, &noom.PublishOptions{Name: fmt.Sprint("take ", i)})
			if err != nil {
				t.Fatal(err)
			}
			added := until[noom.TrackAdded](t, b, nil)
			if added.Track.Name() != fmt.Sprint("take ", i) {
				t.Fatalf("got track %q", added.Track.Name())
			}
			if _, err = added.Track.ReadRTP(); err != nil {
				t.Fatal(err)
			}
			if err = s.SetMuted(true); err != nil {
				t.Fatal(err)
			}
			if e := until[noom.TrackMuted](t, b, nil); e.Track != added.Track || !e.Muted || !e.Track.Muted() {
				t.Fatalf("mute was told as %+v", e)
			}
			if err = s.Close(); err != nil {
				t.Fatal(err)
			}
			if e := until[noom.TrackRemoved](t, b, nil); e.Track != added.Track {
				t.Fatal("another track was removed")
			}
			for err == nil {
				_, err = added.Track.ReadRTP()
			}
			if !errors.Is(err, io.EOF) {
				t.Fatalf("a removed track reads %v", err)
			}
			p, _ := b.Peer(a.Self().ID)
			n := strings.Count(p.Connection().RemoteDescription().SDP, "m=")
			if i > 0 && n != sections {
				t.Fatalf("publishing again made %d sections of %d", n, sections)
			}
			sections = n
		}
	})
}

func TestChatAndRename(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("데모", "지우", nil), w.join("데모", "bob", nil)
		if err := a.Chat(t.Context(), "안녕, bob! <img onerror>"); err != nil {
			t.Fatal(err)
		}
		e := until[noom.ChatReceived](t, b, nil)
		if e.Text != "안녕, bob! <img onerror>" || e.From.Name != "지우" || e.From.ID != a.Self().ID || e.At.IsZero() {
			t.Fatalf("got %+v", e)
		}
		if err := a.Rename(t.Context(), "  민서 "); err != nil {
			t.Fatal(err)
		}
		if r := until[noom.PeerRenamed](t, b, nil); r.Old != "지우" || r.Peer.Name() != "민서" || a.Self().Name != "민서" {
			t.Fatalf("renamed from %q to %q, self %q", r.Old, r.Peer.Name(), a.Self().Name)
		}
		for _, bad := range []string{strings.Repeat("가", 100), "a\u202eb", "a\nb"} {
			if err := a.Rename(t.Context(), bad); !errors.Is(err, &signal.Error{Code: signal.CodeBadName}) {
				t.Errorf("rename to %.20q: %v", bad, err)
			}
		}
		for _, bad := range []string{"", strings.Repeat("x", 5000), "\xff"} {
			if err := a.Chat(t.Context(), bad); !errors.Is(err, &signal.Error{Code: signal.CodeBadChat}) {
				t.Errorf("chat of %d bytes: %v", len(bad), err)
			}
		}
	})
}

func TestLeave(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		start := time.Now()
		for range 2 {
			if err := b.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d > 100*time.Millisecond {
			t.Errorf("leaving took %v", d)
		}
		if e := until[noom.PeerLeft](t, a, nil); e.Reason != noom.ReasonLeft || e.Member.Name != "b" {
			t.Fatalf("got %+v", e)
		}
		if len(a.Peers()) != 0 {
			t.Fatal("a peer that left is still listed")
		}
		if e := until[noom.Closed](t, b, nil); e.Err != nil || b.Err() != nil {
			t.Fatalf("closed with %v", e.Err)
		}
		if _, err := b.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Fatalf("Next after Closed: %v", err)
		}
		if err := b.Chat(t.Context(), "x"); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("Chat after Leave: %v", err)
		}
		if err := b.Send(t.Context(), nil); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("Send after Leave: %v", err)
		}
		if _, err := b.Publish(t.Context(), newTestCamera(t), nil); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("Publish after Leave: %v", err)
		}
	})
}

func TestSendBlocksOnCredit(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		const messages = 200
		payload := make([]byte, signal.MaxData)
		sent := make(chan int, messages)
		go func() {
			for i := range messages {
				payload[0] = byte(i)
				if err := a.Send(t.Context(), payload); err != nil {
					t.Error(err)
				}
				sent <- i
			}
		}()
		time.Sleep(10 * time.Second)
		if n := len(sent); n != signal.MaxUnacked/signal.MaxData {
			t.Fatalf("%d messages sent while nobody takes them", n)
		}
		for i := range messages {
			if e := until[noom.DataReceived](t, b, nil); e.Data[0] != byte(i) || len(e.Data) != signal.MaxData {
				t.Fatalf("message %d: got %d with %d bytes", i, e.Data[0], len(e.Data))
			}
		}
		p, _ := a.Peer(b.Self().ID)
		if err := p.Send(t.Context(), make([]byte, signal.MaxData+1)); !errors.Is(err, noom.ErrTooBig) {
			t.Fatalf("too big: %v", err)
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

// TestRebuildKeepsTracks: a rebuild, from either end, is a pause in the
// packets and nothing else.
func TestRebuildKeepsTracks(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var rooms [2]noom.Room
		for i := range rooms {
			camera := newTestCamera(t)
			go film(ctx, camera)
			rooms[i] = w.join("r", fmt.Sprint(i), &noom.Config{Tracks: []noom.LocalTrack{{Track: camera}}})
		}
		var peers [2]noom.Peer
		var tracks [2]noom.RemoteTrack
		for i, r := range rooms {
			tracks[i] = until[noom.TrackAdded](t, r, nil).Track
			peers[i] = r.Peers()[0]
			until(t, r, connected)
		}
		for round := range 6 {
			before := [2]*webrtc.PeerConnection{peers[0].Connection(), peers[1].Connection()}
			breakUp(peers[round%2])
			time.Sleep(20 * time.Second)
			for i, r := range rooms {
				if peers[i].Connection() == before[i] || peers[i].State() != noom.PeerConnected {
					t.Fatalf("round %d: no new connection, %s", round, peers[i].State())
				}
				if err := flow(tracks[i]); err != nil {
					t.Fatalf("round %d: to %d: %v", round, i, err)
				}
				for _, e := range waiting(t, r) {
					switch e.(type) {
					case noom.TrackAdded, noom.TrackRemoved, noom.PeerLeft, noom.PeerJoined:
						t.Fatalf("round %d: %T", round, e)
					}
				}
			}
		}
	})
}
