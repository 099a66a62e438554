package media

import (
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// place is somewhere to bind a Source: it keeps every packet and when it came.
type place struct {
	id     string
	codecs []webrtc.RTPCodecParameters
	gate   chan struct{} // after a send here, writing waits until the next one

	mu      sync.Mutex
	packets []arrival
}

type arrival struct {
	rtp.Header
	payload []byte
	at      time.Time
}

func newPlace(id string, mimes ...string) *place {
	p := &place{id: id}
	for i, mime := range mimes {
		p.codecs = append(p.codecs, webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime}, PayloadType: webrtc.PayloadType(96 + i),
		})
	}
	return p
}

func (p *place) CodecParameters() []webrtc.RTPCodecParameters           { return p.codecs }
func (p *place) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter { return nil }
func (p *place) SSRC() webrtc.SSRC                                      { return 7 }
func (p *place) SSRCRetransmission() webrtc.SSRC                        { return 0 }
func (p *place) SSRCForwardErrorCorrection() webrtc.SSRC                { return 0 }
func (p *place) WriteStream() webrtc.TrackLocalWriter                   { return p }
func (p *place) ID() string                                             { return p.id }
func (p *place) RTCPReader() interceptor.RTCPReader                     { return nil }
func (p *place) Write([]byte) (int, error)                              { panic("not used") }

func (p *place) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	select {
	case <-p.gate:
		<-p.gate
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packets = append(p.packets, arrival{*h, payload, time.Now()})
	return len(payload), nil
}

func (p *place) got() []arrival {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.packets
}

func bind(t *testing.T, s *Source, p *place) webrtc.RTPCodecParameters {
	t.Helper()
	codec, err := s.Bind(p)
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

func closeLater(t *testing.T, c io.Closer) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
