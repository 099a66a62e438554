package noom_test

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/conduct"
	"noom/internal/fault"
	"noom/internal/link"
	"noom/internal/mediatest"
	"noom/noomtest"
	"noom/signal"
)

// These tests are about a member that is connected, or could be, and makes us
// do as much as it can. It costs its own connection, and then its id waits.

// TestFloods: each flood ends the connection it comes by, whose maker is kept
// waiting even if it comes back with another session; the call next to it goes on.
func TestFloods(t *testing.T) {
	for name, flood := range map[string]func(t *testing.T, r noom.Room, b noom.Peer){
		"RTP of ever new sources": func(t *testing.T, r noom.Room, b noom.Peer) {
			_, err := r.Publish(t.Context(), mediatest.NewRTPCamera(t), nil)
			must(t, err)
			time.Sleep(time.Second) // it has a section
			forged := newForgery(t)
			must(t, sending(t, b.Connection()).ReplaceTrack(forged))
			for n := range uint32(4 * conduct.MaxSources) {
				_, _ = forged.stream.WriteRTP(&rtp.Header{Version: 2, PayloadType: 35, SSRC: 10_000 + n}, mediatest.VP8Frame(n, true)[:1000]) // it may be closed meanwhile
				if n%16 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		},
		"RTCP about ever new sources": func(t *testing.T, r noom.Room, b noom.Peer) {
			sendRTCP(t, r, b, func(n uint32) rtcp.Packet { return &rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: n} })
		},
		"RTCP about many sources at once": func(t *testing.T, r noom.Room, b noom.Peer) {
			sendRTCP(t, r, b, func(n uint32) rtcp.Packet {
				report := &rtcp.ReceiverReport{SSRC: 1}
				for i := range uint32(31) {
					report.Reports = append(report.Reports, rtcp.ReceptionReport{SSRC: 31*n + i})
				}
				return report
			})
		},
		"RTCP from ever new sources": func(t *testing.T, r noom.Room, b noom.Peer) {
			sendRTCP(t, r, b, func(n uint32) rtcp.Packet { return &rtcp.PictureLossIndication{SenderSSRC: n, MediaSSRC: 1} })
		},
		"RTCP from ever new sources, about nobody": func(t *testing.T, r noom.Room, b noom.Peer) {
			for i := range uint32(3) {
				sendRTCP(t, r, b, func(n uint32) rtcp.Packet { return &rtcp.ReceiverReport{SSRC: 4*i*conduct.MaxSources + n} })
			}
		},
		"channels": func(_ *testing.T, _ noom.Room, b noom.Peer) {
			for n := range 4 * maxChannels {
				if _, err := b.Connection().CreateDataChannel(fmt.Sprint(n), nil); err != nil {
					return // closed meanwhile
				}
				time.Sleep(time.Millisecond)
			}
		},
		"frames": func(_ *testing.T, _ noom.Room, b noom.Peer) {
			conn := connectionOf(b)
			for n := range 2 * (conduct.WorkBurst + conduct.ExcessBurst) {
				if conn.Control.SendText("{}") != nil {
					return
				}
				if n%16 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		},
		"data that is known":      func(_ *testing.T, _ noom.Room, b noom.Peer) { sendRepeats(b, dataFrame(1, 0)) },
		"topics without messages": func(_ *testing.T, _ noom.Room, b noom.Peer) { sendRepeats(b, append(dataFrame(7, 1), "입력 중"...)) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
				id := noom.NewIdentity()
				a, c := w.join("r", "a", nil), w.join("r", "c", nil)
				b := w.join("r", "b", &noom.Config{Identity: id})
				for _, r := range []noom.Room{b, b, c, c} {
					until(t, r, connected)
				}
				time.Sleep(time.Second)
				beside := peerOf(t, a, c).Connection()
				before := runtime.NumGoroutine()
				flood(t, b, peerOf(t, b, a))
				until(t, a, func(e noom.PeerStateChanged) bool {
					return e.Peer.ID() == id.ID() && e.State == noom.PeerFailed && errors.Is(e.Err, fault.Rules)
				})
				if more := runtime.NumGoroutine() - before; more > 100 {
					t.Errorf("%d goroutines more", more)
				}
				_ = b.Leave(t.Context())
				since := time.Now()
				w.join("r", "b", &noom.Config{Identity: id}) // another session
				until(t, a, func(e noom.PeerStateChanged) bool { return e.Peer.ID() == id.ID() && e.State == noom.PeerConnected })
				if waited := time.Since(since); waited < conduct.FaultPause-3*time.Second {
					t.Errorf("it is connected again after %v", waited)
				}
				must(t, peerOf(t, a, c).Send(t.Context(), []byte("still here")))
				until[noom.DataReceived](t, c, nil)
				if peerOf(t, a, c).Connection() != beside {
					t.Error("the call next to it was disturbed")
				}
			})
		})
	}
}

// sendRepeats sends p the same frame of data more often than it takes that.
func sendRepeats(p noom.Peer, frame []byte) {
	conn := connectionOf(p)
	for n := range 3 * conduct.RepeatBurst {
		if conn.Data.Send(frame) != nil {
			return
		}
		if n%64 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// sending returns what sends the only track that is published at this end of pc.
func sending(t *testing.T, pc *webrtc.PeerConnection) *webrtc.RTPSender {
	t.Helper()
	for _, tr := range pc.GetTransceivers() {
		if tr.Direction() == webrtc.RTPTransceiverDirectionSendonly {
			return tr.Sender()
		}
	}
	t.Fatal("nothing is sent")
	return nil
}

// forgery is a track that lets the test write to its connection what it likes.
type forgery struct {
	*webrtc.TrackLocalStaticRTP
	stream webrtc.TrackLocalWriter
}

func newForgery(t *testing.T) *forgery {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(mediatest.VP8, "x", "y")
	must(t, err)
	return &forgery{TrackLocalStaticRTP: track}
}

func (f *forgery) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	f.stream = ctx.WriteStream()
	return f.TrackLocalStaticRTP.Bind(ctx)
}

// sendRTCP sends RTCP to p. It publishes a camera first, because RTCP needs a media section.
func sendRTCP(t *testing.T, r noom.Room, p noom.Peer, packet func(uint32) rtcp.Packet) {
	t.Helper()
	camera := mediatest.NewRTPCamera(t)
	_, err := r.Publish(t.Context(), camera, nil)
	must(t, err)
	time.Sleep(time.Second)
	pc := p.Connection()
	for n := range uint32(4 * conduct.MaxSources) {
		_ = pc.WriteRTCP([]rtcp.Packet{packet(n)}) // it may be closed meanwhile
		if n%16 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// TestTablesOfTracks: tables that are all news, again and again, end the epoch.
func TestTablesOfTracks(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		time.Sleep(time.Second)
		p := peerOf(t, b, a)
		for n := range int64(100) {
			table := signal.TableBody{Table: signal.Table{Version: 1000 + n, Tracks: map[string]signal.TrackRow{}}}
			for i := range int64(signal.MaxTracks) {
				table.Table.Tracks[fmt.Sprint(i)] = signal.TrackRow{ID: fmt.Sprint(n*100 + i), Name: "camera", Kind: "video"}
			}
			body, err := signal.EncodeBody(&table)
			must(t, err)
			inspect(p, func(in link.Inside) { in.Frames.Send(signal.TypeTable, body, false) })
			time.Sleep(20 * time.Millisecond)
		}
		until(t, a, func(e noom.PeerStateChanged) bool {
			return e.State == noom.PeerFailed && strings.Contains(e.Err.Error(), "a flood of tables")
		})
		_ = a.Leave(t.Context())
		added := 0
		for e := range a.Events(t.Context()) {
			if _, ok := e.(noom.TrackAdded); ok {
				added++
			}
		}
		if most := (conduct.WorkBurst + 60*conduct.WorkRate) / conduct.TrackCost; added > most {
			t.Errorf("%d tracks were added, want up to %d", added, most)
		}
	})
}

// TestFloodOfWants: wants that are all news, again and again, end the epoch.
func TestFloodOfWants(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		time.Sleep(time.Second)
		p := peerOf(t, b, a)
		for n := range int64(60) {
			wants := signal.WantsBody{Version: 1 + n, Wants: map[string]int{}}
			for i := range int64(signal.MaxTracks) {
				wants.Wants[fmt.Sprint(n*100+i)] = 0
			}
			body, err := signal.EncodeBody(&wants)
			must(t, err)
			inspect(p, func(in link.Inside) { in.Frames.Send(signal.TypeWants, body, false) })
			time.Sleep(20 * time.Millisecond)
		}
		until(t, a, func(e noom.PeerStateChanged) bool {
			return e.State == noom.PeerFailed && strings.Contains(e.Err.Error(), "a flood of wants")
		})
	})
}

// TestStaleStorm: a member that says ever new sessions of itself has us build no more
// connections than one that begins epochs.
func TestStaleStorm(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, b, connected)
		m := newMallory(t, w)
		defer func() { _ = m.line.Close() }()
		const seconds = 10
		for range seconds * 40 {
			f := signal.Message{Type: signal.TypeStale, To: m.victim.ID, Sessions: [2]string{signal.NewSession(), m.victim.Session}}
			f.Signature = sign(m.id, signal.PairText(&f, "r", m.id.ID()))
			must(t, m.line.Send(t.Context(), f))
			time.Sleep(25 * time.Millisecond)
		}
		_ = a.Leave(t.Context())
		came := 0
		for e := range a.Events(t.Context()) {
			if e, ok := e.(noom.PeerJoined); ok && e.Peer.ID() == m.id.ID() {
				came++
			}
		}
		if most := conduct.BuildBurst + int(seconds*time.Second/conduct.BuildEvery) + 2; came > most || came < conduct.BuildBurst {
			t.Errorf("mallory came %d times, want up to %d", came, most)
		}
	})
}

// TestCrowdOfStrangers: members that come and go, each under an id of its own, have few
// connections built for them, and one that stays is connected soon.
func TestCrowdOfStrangers(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		var begun atomic.Int32
		a := w.join("r", "a", &noom.Config{Trace: func(tr noom.Trace) {
			if tr.Kind == noom.TraceNote && strings.HasPrefix(tr.Note, "epoch begun") {
				begun.Add(1)
			}
		}})
		const crowd = 400
		since := time.Now()
		for range crowd {
			m := newMallory(t, w)
			must(t, m.line.Send(t.Context(), signal.Message{Type: signal.TypeBye}))
			_ = m.line.Close()
			time.Sleep(10 * time.Millisecond)
		}
		took := time.Since(since) // the hub keeps some of them waiting
		if n := begun.Load(); int(n) > noom.AdmitBurst+int(took.Seconds()*noom.AdmitRate)+2 {
			t.Errorf("%d connections were begun with %d strangers in %v", n, crowd, took)
		}
		since = time.Now()
		b := w.join("r", "b", nil)
		until(t, b, connected)
		if took := time.Since(since); took > 2*time.Second {
			t.Errorf("behind the crowd it takes %v", took)
		}
		_ = a
	})
}

// TestChecksAtSomebodyElse: a member that names a third host's ports, in a
// description or behind it, and ever again in new epochs, has few packets sent there.
func TestChecksAtSomebodyElse(t *testing.T) {
	for _, inDescription := range []bool{false, true} {
		inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
			var mu sync.Mutex
			var hits int
			ports := make(map[uint16]bool)
			w.Filter(func(p noomtest.Packet) bool {
				if p.To.Addr() == netip.MustParseAddr(thirdHost) {
					mu.Lock()
					defer mu.Unlock()
					hits++
					ports[p.To.Port()] = true
				}
				return true
			})
			w.join("r", "a", nil)
			m := newMallory(t, w)
			defer func() { _ = m.line.Close() }()
			time.Sleep(time.Second)
			const epochs = 5
			for n := range int64(epochs) {
				m.epoch.Number, m.seq = n+2, 0
				m.nameThird(inDescription)
				time.Sleep(4 * time.Second)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(ports) > conduct.MaxOneIP {
				t.Errorf("in the description %v: %d ports of one address", inDescription, len(ports))
			}
			if most := conduct.CheckBurst + conduct.CheckRate*4*epochs; hits > most || hits == 0 {
				t.Errorf("in the description %v: %d packets to others in %d s, want up to %d", inDescription, hits, 4*epochs, most)
			}
		})
	}
}

// thirdHost is the address of a host that has nothing to do with the room.
const thirdHost = "198.18.200.1"

// nameThird offers with candidates of a host that is not mallory's.
func (m *mallory) nameThird(inDescription bool) {
	m.t.Helper()
	const sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=ice-ufrag:mall\r\na=ice-pwd:0123456789012345678901\r\n" +
		"a=fingerprint:sha-256 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D:98:14:8D:1A:BB:EA:33:0C:A4:60:A8:8E\r\n" +
		"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\n"
	var lines strings.Builder
	var told []signal.Candidate
	for i := range 100 {
		c := fmt.Sprintf("candidate:%d 1 udp 2130706431 %s %d typ host", i, thirdHost, 4000+i)
		fmt.Fprintf(&lines, "a=%s\r\n", c)
		told = append(told, signal.Candidate{Candidate: c, SDPMid: "0"})
	}
	d := signal.Description{ID: 1, SDP: sdp}
	if inDescription {
		d.SDP += lines.String()
	}
	body, err := signal.EncodeBody(&d)
	must(m.t, err)
	m.say(signal.TypeOffer, string(body))
	for !inDescription && len(told) > 0 {
		n := min(len(told), signal.MaxCandidates)
		body, err := signal.EncodeBody(&signal.Candidates{Ufrag: "mall", Candidates: told[:n]})
		must(m.t, err)
		told = told[n:]
		m.say(signal.TypeCandidates, string(body))
	}
}
