package traffic

import (
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"

	"noom/internal/bandwidth"
)

// wire is what a connection sends. It is not up until up is set.
type wire struct {
	mu      sync.Mutex
	up      bool
	headers []rtp.Header
	bytes   int
}

func (w *wire) Write(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.up {
		return 0, nil
	}
	w.headers = append(w.headers, h.Clone())
	w.bytes += h.MarshalSize() + len(payload)
	return h.MarshalSize() + len(payload), nil
}

// numbers returns the transport-wide numbers of what was sent.
func (w *wire) numbers() (list []uint16) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.headers {
		list = append(list, binary.BigEndian.Uint16(h.GetExtension(3)))
	}
	return list
}

// total returns how many packets were sent, and of how many bytes as Packet.Size has them.
func (w *wire) total() (packets, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	bytes = w.bytes + overhead*len(w.headers)
	for _, h := range w.headers {
		bytes += int(h.PaddingSize)
	}
	return len(w.headers), bytes
}

func bind(c *Control, w *wire, mime string, ssrc, again uint32) interceptor.RTPWriter {
	return c.BindLocalStream(&interceptor.StreamInfo{
		SSRC: ssrc, SSRCRetransmission: again, PayloadTypeRetransmission: 36, MimeType: mime,
		RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: sdp.TransportCCURI, ID: 3}},
	}, w)
}

// TestEachPacketHasANumber: of the transport, those of sound and retransmissions too. The header that was given stays as
// it was, and what did not leave, because the connection was not up, is not counted.
func TestEachPacketHasANumber(t *testing.T) {
	c, w := New(Options{}), new(wire)
	video, sound := bind(c, w, "video/VP8", 1, 2), bind(c, w, "audio/opus", 5, 0)
	write := func(s interceptor.RTPWriter, h rtp.Header) {
		_, err := s.Write(&h, make([]byte, 500), nil)
		must(t, err)
		if h.Extension || len(h.Extensions) > 0 {
			t.Error("the caller's header was changed")
		}
	}
	write(video, rtp.Header{Version: 2, SSRC: 1, SequenceNumber: 9})
	if c.up || c.owed != 0 {
		t.Error("a packet that did not leave was counted")
	}
	w.up = true
	for n := range uint16(3) {
		write(video, rtp.Header{Version: 2, SSRC: 1, SequenceNumber: 10 + n})
		write(sound, rtp.Header{Version: 2, SSRC: 5, SequenceNumber: n})
	}
	write(video, rtp.Header{Version: 2, SSRC: 2, SequenceNumber: 777, PayloadType: 36})
	c.streams[1].pad(c, maxPadding)
	write(video, rtp.Header{Version: 2, SSRC: 2, SequenceNumber: 778, PayloadType: 36})
	if got, want := w.numbers(), []uint16{1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("numbers %v, want %v", got, want)
	}
	again := w.headers[6:]
	for i, h := range again {
		if h.SSRC != 2 || h.SequenceNumber != again[0].SequenceNumber+uint16(i) || h.PayloadType != 36 {
			t.Errorf("retransmissions and padding: %+v", again)
		}
	}
	if c.streams[1].highest != 12 {
		t.Errorf("a retransmission moved the stream to %d", c.streams[1].highest)
	}
}

// TestRepeatsAreBounded: however much the peer asks for, only a share of the target is sent again.
func TestRepeatsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := New(Options{Bandwidth: bandwidth.Config{Floor: 300_000}}), &wire{up: true} // nobody reports
		video := bind(c, w, "video/VP8", 1, 2)
		for _, repeat := range []rtp.Header{{Version: 2, SSRC: 2}, {Version: 2, SSRC: 1, SequenceNumber: 5}} {
			_, err := video.Write(&rtp.Header{Version: 2, SSRC: 1, SequenceNumber: 20}, make([]byte, 1000), nil)
			must(t, err)
			w.bytes = 0
			for range 1000 {
				time.Sleep(10 * time.Millisecond)
				_, err := video.Write(&repeat, make([]byte, 1000), nil)
				must(t, err)
			}
			if rate := w.bytes * 8 / 10; rate > c.Target()*3/10 || rate < c.Target()/5 {
				t.Errorf("%d bit/s of repeats at a target of %d", rate, c.Target())
			}
		}
	})
}

// TestPicturesArePaced: a picture leaves over time, sound at once, and all at once with Close.
func TestPicturesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := New(Options{Bandwidth: bandwidth.Config{Floor: 300_000}}), &wire{up: true} // nobody reports
		video, sound := bind(c, w, "video/VP8", 1, 2), bind(c, w, "audio/opus", 5, 0)
		c.Want(1_000_000)
		n := uint16(0)
		picture := func() time.Duration {
			time.Sleep(10 * time.Second)
			began, timestamp := time.Now(), uint32(n)+1
			for range 20 {
				n++
				h := rtp.Header{Version: 2, SSRC: 1, SequenceNumber: n, Timestamp: timestamp}
				_, err := video.Write(&h, make([]byte, 1000), nil)
				must(t, err)
			}
			return time.Since(began)
		}
		picture()
		took := picture()
		ideal := time.Duration(20*(1000+64)*8*1000/c.Target()) * time.Millisecond
		if took < ideal/2 || took > ideal {
			t.Errorf("a picture takes %v, at the target %v", took, ideal)
		}
		go picture()
		time.Sleep(10*time.Second + 50*time.Millisecond)
		began := time.Now()
		_, err := sound.Write(&rtp.Header{Version: 2, SSRC: 5}, make([]byte, 100), nil)
		must(t, err)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("sound waited %v for a picture", waited)
		}
		synctest.Wait()
		before, _ := w.total()
		must(t, c.Close())
		synctest.Wait()
		if after, _ := w.total(); after-before < 10 {
			t.Errorf("%d packets went on after Close", after-before)
		}
	})
}

// TestPaddingNeedsAStream: padding is sent as retransmissions of a stream that flows.
func TestPaddingNeedsAStream(t *testing.T) {
	c, w := New(Options{}), &wire{up: true}
	if c.padded() != nil {
		t.Error("padding without a stream")
	}
	video := bind(c, w, "video/VP8", 1, 0)
	_, err := video.Write(&rtp.Header{Version: 2, SSRC: 1}, make([]byte, 10), nil)
	must(t, err)
	if c.padded() != nil {
		t.Error("padding without retransmissions")
	}
}

// TestPaddingComesEvenly: a probe begins with no burst, and does not make up for a tick that came late.
func TestPaddingComesEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := New(Options{}), &wire{up: true}
		c.alarm.Close() // the test ticks
		video := bind(c, w, "video/VP8", 1, 2)
		_, err := video.Write(&rtp.Header{Version: 2, SSRC: 1}, make([]byte, 10), nil)
		must(t, err)
		c.estimator.Report(time.Now(), []bandwidth.Arrival{{Number: c.next - 1, At: time.Second, Received: true}})
		c.Want(5_000_000)
		bursts := 0
		last := time.Now()
		next := tick
		for range 100 {
			if next == probeTick && bursts%5 == 4 {
				next = 150 * time.Millisecond // the machine is busy
			}
			time.Sleep(next)
			before, now := len(w.headers), time.Now()
			next = c.tick(now, now.Sub(last))
			last = now
			sent := (len(w.headers) - before) * maxPadding
			if sent == 0 {
				continue
			}
			bursts++
			bound := bytesIn(2*c.Target(), 3*probeTick)
			if bursts == 1 {
				bound = bytesIn(2*c.Target(), probeTick)
			}
			if sent > bound {
				t.Errorf("%d bytes of padding at once, want at most %d", sent, bound)
			}
		}
		if bursts < 5 {
			t.Errorf("padding came %d times", bursts)
		}
	})
}

// TestPaddingIsEven: a probe sends as much as the estimator says, in packets in proportion.
func TestPaddingIsEven(t *testing.T) {
	for _, rate := range []int{60_000, 400_000, 4_000_000} {
		size := paddingFor(rate)
		if takes := (size + padOverhead) * 8 * 1000 / rate; takes > 25 {
			t.Errorf("at %d bit/s a packet takes %d ms", rate, takes)
		}
		c, sent := New(Options{}), 0
		for range 100 {
			bytes := c.due(rate, probeTick) * (size + padOverhead)
			c.owed -= bytes
			sent += bytes
		}
		if got := sent * 8; got < rate*9/10 || got > rate {
			t.Errorf("%d bit/s of padding at %d", got, rate)
		}
	}
}
