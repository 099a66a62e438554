package noom_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
)

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

// TestFewFramesSetUpAMesh: most acknowledgements travel on frames that say something, and nothing is said twice.
func TestFewFramesSetUpAMesh(t *testing.T) {
	for _, latency := range []time.Duration{0, 5 * time.Millisecond} {
		inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
			const members = 5
			var mu sync.Mutex
			bare, sent := 0, make(map[string]int)
			count := func(e noom.Trace) {
				if m := e.Message; e.Kind == noom.TraceSent && m.Type.Pair() {
					mu.Lock()
					defer mu.Unlock()
					if m.Seq == 0 {
						bare++
					} else {
						sent[fmt.Sprint(e.Self.Name, e.Peer.Name, m.Type, m.Epoch.Number, m.Seq)]++
					}
				}
			}
			var rooms []noom.Room
			for i := range members {
				rooms = append(rooms, w.join("r", fmt.Sprint(i), &noom.Config{
					Trace: count, Tracks: []noom.LocalTrack{{Name: "camera", Track: newTestCamera(t)}},
				}))
			}
			for _, r := range rooms {
				for range members - 1 {
					until[noom.TrackAdded](t, r, nil)
				}
			}
			w.Settle()
			mu.Lock()
			defer mu.Unlock()
			for what, n := range sent {
				if n > 1 {
					t.Errorf("with a hub %v away, %s is sent %d times", latency, what, n)
				}
			}
			if cards := members - 1; len(sent) == 0 || 2*bare > len(sent)+cards { // each of which stands for a frame
				t.Errorf("with a hub %v away, there are %d acknowledgements beside %d frames", latency, bare, len(sent))
			}
		}, noomtest.WithSignalingLatency(latency))
	}
}
