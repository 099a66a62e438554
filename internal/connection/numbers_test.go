package connection

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/engine"
	"noom/internal/exchange"
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/internal/mailbox"
	"noom/internal/mediatest"
	"noom/internal/negotiate"
	"noom/internal/packet"
	"noom/internal/payloads"
	"noom/signal"
)

// recorder is an owner that keeps what is sent and what fails. Its loop is the test.
type recorder struct {
	Owner
	loop chan func()
	sent []signal.Type
	last string // description
	err  error
}

func (r *recorder) Post(f func()) bool                           { r.loop <- f; return true }
func (r *recorder) Spawn(f func())                               { go f() }
func (r *recorder) Window() bool                                 { return true }
func (r *recorder) NextTable() int64                             { return 1 }
func (r *recorder) Described(bool) bool                          { return true }
func (r *recorder) Trace(string, ...any)                         {}
func (r *recorder) PathChanged(*Conn, webrtc.ICEConnectionState) {}
func (r *recorder) Table(*signal.Table)                          {}
func (r *recorder) Wants(*signal.WantsBody)                      {}
func (r *recorder) Failed(err error)                             { r.err = err }
func (r *recorder) Send(t signal.Type, body []byte, _ bool) (n int64) {
	var d signal.Description
	if r.sent = append(r.sent, t); t == signal.TypeOffer || t == signal.TypeAnswer {
		r.err = signal.DecodeBody(body, &d)
		r.last = d.SDP
	}
	return int64(len(r.sent))
}

// TestFirefoxOffersBehindOurOffer: an answer and an offer of Firefox, recorded, in whose sections 99 is first RTX and then
// AV1. pion takes both, and Firefox gets an answer under its own numbers.
func TestFirefoxOffersBehindOurOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		media := new(webrtc.MediaEngine)
		for _, codec := range packet.CodecsFor(webrtc.RTPCodecTypeAudio) {
			must(t, media.RegisterCodec(codec, webrtc.RTPCodecTypeAudio))
		}
		for i, mime := range []string{webrtc.MimeTypeVP8, webrtc.MimeTypeVP9, webrtc.MimeTypeAV1} {
			codec := webrtc.RTPCodecParameters{PayloadType: []webrtc.PayloadType{96, 98, 45}[i]}
			codec.MimeType, codec.ClockRate = mime, 90000
			must(t, media.RegisterCodec(codec, webrtc.RTPCodecTypeVideo))
			must(t, media.RegisterCodec(packet.Retransmission(codec), webrtc.RTPCodecTypeVideo))
		}
		network, packets := mediatest.NewNetwork(t), new(payloads.Packets)
		pc := network.Connection(t, media, engine.Bounds{Wire: packets, Buffer: packets.Buffer(conduct.NewGuard(nil).Buffer)})
		r := &recorder{loop: make(chan func(), 64)}
		c, err := New(Config{
			PC: pc, Owner: r, Reports: new(Reports), Mail: mailbox.New(nil), Log: slog.New(slog.DiscardHandler), Turn: negotiate.Begin(),
			Senders: []*fanout.Sender{sending(t, mediatest.Opus), sending(t, mediatest.VP8)}, Servers: iceservers.New(nil, 0), Packets: packets,
		})
		must(t, err)
		c.Need()
		c.Deliver([]exchange.Message{recordedMessage(t, signal.TypeAnswer, "go-first-answer"), recordedMessage(t, signal.TypeOffer, "go-first-offer")})
		for end := time.After(time.Second); r.err == nil && r.sent[len(r.sent)-1] != signal.TypeAnswer; {
			select {
			case f := <-r.loop:
				f()
			case <-end:
				t.Fatalf("no answer, only %v", r.sent)
			}
		}
		must(t, r.err)
		sections := strings.Split(r.last, "\r\nm=")
		if len(sections) != 6 {
			t.Fatalf("an answer of %d sections", len(sections)-1)
		}
		for section, lines := range map[string][]string{
			sections[2]: {"a=rtpmap:96 VP8/90000", "a=rtpmap:99 rtx/90000", "a=fmtp:99 apt=98", "a=rtpmap:45 AV1/90000"},
			sections[4]: {"a=rtpmap:109 opus/48000/2"},
			sections[5]: {"a=rtpmap:120 VP8/90000", "a=fmtp:124 apt=120", "a=rtpmap:99 AV1/90000", "a=fmtp:100 apt=99"},
		} {
			for _, line := range lines {
				if !strings.Contains(section, line) {
					t.Errorf("no %q in %s", line, section)
				}
			}
		}
		go func() { // of the connection's end
			for f := range r.loop {
				f()
			}
		}()
		must(t, pc.GracefulClose())
		synctest.Wait()
		close(r.loop)
	})
}

func sending(t *testing.T, codec webrtc.RTPCodecCapability) *fanout.Sender {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(codec, "track", "stream")
	must(t, err)
	s, err := fanout.NewSender(track, fanout.Options{Name: "카메라"}, fanout.Hooks{OnChange: func() {}, OnClose: func() {}})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func recordedMessage(t *testing.T, kind signal.Type, name string) exchange.Message {
	t.Helper()
	text, err := os.ReadFile("../payloads/testdata/" + name + ".sdp")
	must(t, err)
	body, err := signal.EncodeBody(&signal.Description{ID: 1, SDP: strings.ReplaceAll(string(text), "\n", "\r\n")})
	must(t, err)
	return exchange.Message{Type: string(kind), Body: body}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
