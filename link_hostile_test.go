package noom_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/frames"
	"noom/internal/link"
	"noom/signal"
)

// mallory is a member of room r that speaks the protocol by hand, to member a,
// and signs what it says.
type mallory struct {
	t       *testing.T
	id      noom.Identity
	session string
	line    noom.Signaler
	victim  noom.Member
	epoch   signal.Epoch
	seq     int64
}

func newMallory(t *testing.T, w *world) *mallory {
	t.Helper()
	m := &mallory{t: t, id: noom.NewIdentity(), session: signal.NewSession()}
	var err error
	m.line, err = w.nearHub().Dial(t.Context())
	must(t, err)
	join := signal.Message{Type: signal.TypeJoin, Room: "r", Name: "mallory", Key: publicKey(m.id), Session: m.session}
	if err = m.line.Send(t.Context(), join); err != nil {
		t.Fatal(err)
	}
	joined, err := m.line.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range joined.Members {
		if o.Name == "a" {
			m.victim = o
		}
	}
	m.epoch = signal.Epoch{Number: 2, By: m.id.ID()}
	go func() { // reads and forgets
		for err == nil {
			_, err = m.line.Receive(context.Background())
		}
	}()
	return m
}

// sign signs text with the key of id.
func sign(id noom.Identity, text []byte) []byte {
	return ed25519.Sign(ed25519.NewKeyFromSeed(id.Seed()), text)
}

// publicKey returns the public half of id.
func publicKey(id noom.Identity) signal.PublicKey {
	return signal.PublicKey(ed25519.NewKeyFromSeed(id.Seed()).Public().(ed25519.PublicKey))
}

// say sends a frame that is signed and in sequence.
func (m *mallory) say(typ signal.Type, body string) {
	m.t.Helper()
	m.seq++
	f := signal.Message{
		Type: typ, To: m.victim.ID, Sessions: [2]string{m.session, m.victim.Session}, Epoch: m.epoch, Seq: m.seq,
	}
	if body != "" {
		f.Body = []byte(body)
	}
	f.Signature = sign(m.id, signal.PairText(&f, "r", m.id.ID()))
	if err := m.line.Send(m.t.Context(), f); err != nil {
		m.t.Fatal(err)
	}
}

// TestHostileMember: whatever one member sends, properly signed, costs its own
// link alone.
func TestHostileMember(t *testing.T) {
	const head = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
	offer := func(sdp string) string {
		b, err := json.Marshal(&signal.Description{ID: 1, SDP: sdp}) // EncodeBody would refuse it
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, attack := range map[string]func(m *mallory){
		"offer without sections": func(m *mallory) { m.say(signal.TypeOffer, offer(head)) },
		"offer that is no SDP":   func(m *mallory) { m.say(signal.TypeOffer, offer("hello")) },
		"offer without ICE": func(m *mallory) {
			m.say(signal.TypeOffer, offer(head+"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"))
		},
		"offer with a thousand":  func(m *mallory) { m.say(signal.TypeOffer, offer(head+strings.Repeat("m=audio 9 X 0\r\n", 1000))) },
		"offer that is no JSON":  func(m *mallory) { m.say(signal.TypeOffer, "{") },
		"offer with a key twice": func(m *mallory) { m.say(signal.TypeOffer, `{"id":1,"id":2,"sdp":"x","table":{}}`) },
		"answer to nothing":      func(m *mallory) { m.say(signal.TypeAnswer, offer(head)) },
		"grant of nothing":       func(m *mallory) { m.say(signal.TypeGrant, "") },
		"candidates before all":  func(m *mallory) { m.say(signal.TypeCandidates, `{"ufrag":"x","candidates":[{"candidate":"x"}]}`) },
		"table with a bad kind": func(m *mallory) {
			m.say(signal.TypeTable, `{"table":{"version":1,"tracks":{"0":{"id":"a","name":"","kind":"smell"}}}}`)
		},
		"wants with a height of 20000": func(m *mallory) { m.say(signal.TypeWants, `{"version":1,"wants":{"a":20000}}`) },
		"table of tracks on no section": func(m *mallory) {
			m.say(signal.TypeTable, `{"table":{"version":1,"tracks":{"7":{"id":"a","name":"유령","kind":"video"}}}}`)
		},
		"an epoch for each frame": func(m *mallory) {
			for n := range int64(40) {
				m.epoch.Number, m.seq = n+2, 0
				m.say(signal.TypeAsk, "")
			}
		},
		"asks without end": func(m *mallory) {
			for range 40 {
				m.say(signal.TypeAsk, "")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
				a, b := w.join("r", "a", nil), w.join("r", "b", nil)
				until(t, a, connected)
				until(t, b, connected)
				p, _ := a.Peer(b.Self().ID)
				before := p.Connection()
				m := newMallory(t, w)
				defer func() { _ = m.line.Close() }()
				attack(m)
				time.Sleep(5 * time.Second)
				if err := p.Send(t.Context(), []byte("hello")); err != nil {
					t.Fatal(err)
				}
				until[noom.DataReceived](t, b, nil)
				if p.Connection() != before || p.State() != noom.PeerConnected {
					t.Fatal("the call next to it was disturbed")
				}
				if l, ok := a.Peer(m.id.ID()); !ok || l.State() == noom.PeerConnected {
					t.Fatal("mallory is connected, or lost")
				}
			})
		})
	}
}

// TestPeerThatAcknowledgesNothing makes a link queue without end.
func TestPeerThatAcknowledgesNothing(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("r", "a", &noom.Config{ConnectTimeout: time.Hour}) // which would end it sooner
		m := newMallory(t, w)
		defer func() { _ = m.line.Close() }()
		for range 30 {
			time.Sleep(time.Second)
			for range 20 {
				m.say(signal.TypeGrant, "")
				m.say(signal.TypeAsk, "")
			}
		}
		l, ok := a.Peer(m.id.ID())
		if !ok {
			t.Fatal("mallory is gone")
		}
		var queued int64
		inspect(l, func(in link.Inside) { queued = in.Frames.Queued() - in.Frames.Acked() })
		if queued > frames.MaxQueued {
			t.Fatalf("%d messages wait for mallory", queued)
		}
	})
}

// dataFrame is a frame of the data channel (PROTOCOL.md section 4.5): 1 is a message, 2 says what
// was taken, 3 asks what has arrived.
func dataFrame(kind byte, number uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, number)
}

// TestPeerThatReadsNothing: a peer that takes what it has not received, and sends what
// it has sent before, while its SCTP lets nothing in, makes nothing pile up for it.
func TestPeerThatReadsNothing(t *testing.T) {
	for name, attack := range map[string]func(t *testing.T, a, b noom.Peer) (bound uint64){
		"takes all": func(t *testing.T, a, b noom.Peer) uint64 {
			for n := range uint32(300) {
				if err := a.Send(t.Context(), make([]byte, signal.MaxData)); err != nil {
					t.Fatal(err)
				}
				if err := connectionOf(b).Data.Send(dataFrame(2, n+1)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			return 2*signal.MaxUnacked + signal.MaxData
		},
		"sends the same again": func(t *testing.T, a, b noom.Peer) uint64 {
			for range 17 { // leaves its SCTP room for some thousand acknowledgements
				if err := a.Send(t.Context(), make([]byte, signal.MaxData-1000)); err != nil {
					t.Fatal(err)
				}
			}
			for range 5000 {
				if err := connectionOf(b).Data.Send(dataFrame(1, 0)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			return 2 * 64 * 5 // two batches of acknowledgements
		},
		"asks without end": func(t *testing.T, a, b noom.Peer) uint64 {
			for range 17 {
				if err := a.Send(t.Context(), make([]byte, signal.MaxData-1000)); err != nil {
					t.Fatal(err)
				}
			}
			for range 5000 {
				if err := connectionOf(b).Data.Send(dataFrame(3, 0)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			return 2 * 64 * 5 // two batches of acknowledgements
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
				a := w.join("방", "a", nil)
				b := w.join("방", "b", &noom.Config{Settings: func(s *webrtc.SettingEngine) {
					s.DetachDataChannels() // and nobody reads them
				}})
				until(t, a, connected)
				time.Sleep(time.Second)
				p := peerOf(t, a, b)
				bound := attack(t, p, peerOf(t, b, a))
				time.Sleep(time.Second)
				var waits uint64
				inspect(p, func(in link.Inside) { waits = in.Current.Data.BufferedAmount() })
				if waits > bound || p.State() != noom.PeerConnected {
					t.Errorf("%s, and %d bytes wait", p.State(), waits)
				}
			})
		})
	}
}
