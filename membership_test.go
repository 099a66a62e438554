package noom_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/packet"
	"noom/noomtest"
	"noom/signal"
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

// TestMeddlingHub: frames that were tampered with, repeated, held back or made
// up on the way are ignored, and what was lost with them comes again.
func TestMeddlingHub(t *testing.T) {
	seen := make(map[signal.Type]int)
	var held []signal.Message
	remake := func(m signal.Message, change func(*signal.Message)) signal.Message {
		m.Stamp("") // forget the encoded bytes
		m.Body = bytes.Clone(m.Body)
		change(&m)
		return m
	}
	for name, meddle := range map[string]func(m signal.Message) []signal.Message{
		"flips a bit of each first signature": func(m signal.Message) []signal.Message {
			if seen[m.Type]++; seen[m.Type] > 1 {
				return []signal.Message{m}
			}
			return []signal.Message{remake(m, func(m *signal.Message) {
				m.Signature = bytes.Clone(m.Signature)
				m.Signature[7] ^= 1
			})}
		},
		"swaps the fingerprint of each first description": func(m signal.Message) []signal.Message {
			if seen[m.Type]++; seen[m.Type] > 1 {
				return []signal.Message{m}
			}
			return []signal.Message{remake(m, func(m *signal.Message) {
				m.Body = bytes.Replace(m.Body, []byte("sha-256 "), []byte("sha-256 00:"), 1)
			})}
		},
		"says everything twice": func(m signal.Message) []signal.Message { return []signal.Message{m, m} },
		"swaps neighbours": func(m signal.Message) []signal.Message {
			if held = append(held, m); len(held) < 2 {
				return nil
			}
			out := []signal.Message{held[1], held[0]}
			held = nil
			return out
		},
		"moves frames to another epoch": func(m signal.Message) []signal.Message {
			return []signal.Message{remake(m, func(m *signal.Message) { m.Epoch.Number += 5 }), m}
		},
		"puts another type in front": func(m signal.Message) []signal.Message {
			if m.Seq == 0 {
				return []signal.Message{m}
			}
			return []signal.Message{remake(m, func(m *signal.Message) { m.Type = signal.TypeGrant; m.Body = nil }), m}
		},
	} {
		t.Run(name, func(t *testing.T) {
			clear(seen)
			held = nil
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
				a := w.join("r", "a", nil)
				meddling := &wire{Dialer: w.Dialer("b"), up: func(m signal.Message) []signal.Message {
					if !m.Type.Pair() {
						return []signal.Message{m}
					}
					return meddle(m)
				}}
				b := w.joinBy(meddling, "r", "b", nil)
				if _, err := b.Publish(t.Context(), newTestCamera(t), nil); err != nil {
					t.Fatal(err)
				}
				until[noom.TrackAdded](t, a, nil)
				p, _ := a.Peer(b.Self().ID)
				for p.State() != noom.PeerConnected {
					until[noom.PeerStateChanged](t, a, nil)
				}
			})
		})
	}
}

// joinPoor enters a room as "poor", which knows VP8 and no other codec.
func (w *world) joinPoor(room string, cfg *noom.Config) noom.Room {
	w.t.Helper()
	media := &webrtc.MediaEngine{}
	for _, c := range packet.CodecsFor(webrtc.RTPCodecTypeVideo) {
		if c.MimeType == webrtc.MimeTypeVP8 {
			must(w.t, media.RegisterCodec(c, webrtc.RTPCodecTypeVideo))
		}
	}
	poor, err := noom.JoinKnowing(w.t.Context(), w.Dialer("poor"), room, w.config("poor", cfg), media)
	must(w.t, err)
	w.leaveAtEnd(poor)
	return poor
}

// TestCodecNobodyShares: one peer cannot take a codec, the other can.
func TestCodecNobodyShares(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		poor := w.joinPoor("r", nil)
		rich := w.join("r", "rich", nil)
		a := w.join("r", "a", nil)
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeAV1}, "v", "s")
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.Publish(t.Context(), track, nil)
		if err != nil {
			t.Fatal(err)
		}
		e := until[noom.TrackRefused](t, a, nil)
		if e.Peer.ID() != poor.Self().ID || e.Sender != s || e.Codec != webrtc.MimeTypeAV1 {
			t.Fatalf("refused: %+v", e)
		}
		until[noom.TrackAdded](t, rich, nil)
		p, _ := a.Peer(poor.Self().ID)
		for p.State() != noom.PeerConnected {
			until[noom.PeerStateChanged](t, a, nil)
		}
		if d := expect(t, a, poor, noom.VerdictCodec); len(d.Codecs) != 1 || d.Codecs[0] != webrtc.MimeTypeAV1 || d.Path == nil {
			t.Errorf("diagnosed as %+v", d)
		}
		if err := p.Send(t.Context(), []byte("still friends")); err != nil {
			t.Fatal(err)
		}
		until[noom.DataReceived](t, poor, nil)
	})
}

func TestPeerPublish(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b, c := w.join("r", "a", nil), w.join("r", "b", nil), w.join("r", "c", nil)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		until(t, b, connected)
		until(t, b, connected)
		p, _ := a.Peer(b.Self().ID)
		track := newTestCamera(t)
		go film(ctx, track)
		if _, err := p.Publish(t.Context(), track, &noom.PublishOptions{Name: "너만"}); err != nil {
			t.Fatal(err)
		}
		receives(t, b, a.Self().ID, "너만")
		if pc, _ := c.Peer(a.Self().ID); len(pc.Tracks()) != 0 {
			t.Fatal("c got it too")
		}
		_ = b.Leave(t.Context())
		until[noom.PeerLeft](t, a, nil)
		if _, err := p.Publish(t.Context(), track, nil); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("publish to who is gone: %v", err)
		}
		if err := p.Send(t.Context(), nil); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("send to who is gone: %v", err)
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

// TestChatSaidAgain: the hub passed a text on, but its word of that was lost with
// the connection. It is said again, and shown once.
func TestChatSaidAgain(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		b := w.join("r", "bob", nil)
		said := w.Delay(noomtest.Frames{From: "지우", To: noomtest.HubName, Type: signal.TypeChat}, 0) // counts them
		w.Drop(noomtest.Frames{From: noomtest.HubName, To: "지우", Type: signal.TypeChat, Nth: 1})
		a := w.join("r", "지우", nil)
		until(t, b, connected)
		time.AfterFunc(time.Second, func() { w.bounce("지우") })
		if err := a.Chat(t.Context(), "한 번만"); err != nil {
			t.Fatal(err)
		}
		if err := a.Chat(t.Context(), "끝"); err != nil {
			t.Fatal(err)
		}
		if n := said.Hits(); n != 3 {
			t.Fatalf("%d texts were sent to the hub, so nothing was said again", n)
		}
		for _, want := range []string{"한 번만", "끝"} {
			if e := until[noom.ChatReceived](t, b, nil); e.Text != want {
				t.Errorf("got %q, want %q", e.Text, want)
			}
		}
	})
}
