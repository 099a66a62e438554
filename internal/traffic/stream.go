package traffic

import (
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"

	"noom/internal/bandwidth"
	"noom/internal/packet"
)

const (
	maxPadding   = 255 // bytes in one packet, RFC 3550 section 5.1
	leastPadding = 20
	padOverhead  = 12 + 8 + overhead // 8: the extension

	repeatShare = 0.25     // of the target, for what is sent again
	leastRepeat = 5 * 1200 // bytes that may be sent again at once
)

// stream is one that we send, and its retransmissions.
type stream struct {
	// Immutable.
	write       interceptor.RTPWriter
	ssrc, again uint32 // again: of retransmissions; 0: none are negotiated
	againType   uint8
	extension   uint8 // id of the transport-wide number; 0: not negotiated
	video       bool

	timer *time.Timer // of the goroutine that sends what is new; nil: it has not waited yet

	// Guarded by the Control's mu.
	flows     bool   // a packet was sent
	highest   uint16 // sequence number
	timestamp uint32 // of the latest picture
	nextAgain uint16 // sequence number of the next retransmission
}

// BindLocalStream implements interceptor.Interceptor.
func (c *Control) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	s := &stream{
		write: w, ssrc: info.SSRC, again: info.SSRCRetransmission, againType: info.PayloadTypeRetransmission,
		video: strings.HasPrefix(strings.ToLower(info.MimeType), "video/"),
	}
	for _, e := range info.RTPHeaderExtensions {
		if e.URI == sdp.TransportCCURI && e.ID > 0 && e.ID < 256 {
			s.extension = uint8(e.ID)
		}
	}
	c.mu.Lock()
	c.streams[s.ssrc] = s
	c.numbered = c.numbered || s.extension != 0
	c.mu.Unlock()
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		return c.send(s, h, payload, a)
	})
}

// UnbindLocalStream implements interceptor.Interceptor.
func (c *Control) UnbindLocalStream(info *interceptor.StreamInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, info.SSRC)
}

// send sends one packet of s.
func (c *Control) send(s *stream, h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
	size := h.MarshalSize() + len(payload) + int(h.PaddingSize) + overhead
	now := time.Now()
	c.mu.Lock()
	c.goOn(now)
	own := h.SSRC == s.ssrc
	repeat := h.SSRC == s.again || own && s.flows && int16(h.SequenceNumber-s.highest) <= 0
	if repeat && !c.mayRepeat(now, size) {
		c.mu.Unlock()
		return 0, nil
	}
	if own && !repeat {
		s.note(h)
	}
	wait := c.waits(s, repeat, now, size)
	c.mu.Unlock()
	if wait > 0 {
		s.pause(wait, c.done)
		now = time.Now()
	}
	return c.number(s, h, payload, a, bandwidth.Packet{Size: size, Sent: now, Repeat: repeat})
}

// pause waits, or until it is over. Only the one goroutine waits that sends what is new.
func (s *stream) pause(wait time.Duration, over <-chan struct{}) {
	if s.timer == nil {
		s.timer = time.NewTimer(wait)
	} else {
		s.timer.Reset(wait)
	}
	select {
	case <-s.timer.C:
	case <-over:
		s.timer.Stop()
	}
}

// note takes a packet that is sent for the first time. It needs c.mu.
func (s *stream) note(h *rtp.Header) {
	s.flows, s.highest, s.timestamp = true, h.SequenceNumber, h.Timestamp
}

// mayRepeat reports whether a packet may be sent again. It needs c.mu.
func (c *Control) mayRepeat(now time.Time, size int) bool {
	rate := repeatShare * float64(c.estimator.Target()) / 8
	return c.repeats.take(now, float64(size), max(rate/2, leastRepeat), rate)
}

// waits adds a packet to the pace, and returns how long it has to wait: only pictures do. It needs c.mu.
func (c *Control) waits(s *stream, repeat bool, now time.Time, size int) time.Duration {
	if c.want == 0 || !c.up {
		return 0
	}
	factor := evenly
	if c.estimator.Overfull() {
		factor = 1
	}
	wait := c.pace.take(now, size, max(factor*float64(c.estimator.Target()), leastPace))
	if !s.video || repeat {
		return 0
	}
	return wait
}

// outgoing is a header with room for what is added to it: the one that comes belongs to others.
type outgoing struct {
	header     rtp.Header
	extensions [8]rtp.Extension
	number     [2]byte
}

var headers = sync.Pool{New: func() any { return new(outgoing) }}

// number writes the next number into a packet and sends it. What does not leave, because the connection is not up, is not
// counted.
func (c *Control) number(s *stream, h *rtp.Header, payload []byte, a interceptor.Attributes, p bandwidth.Packet) (int, error) {
	o := headers.Get().(*outgoing)
	defer headers.Put(o)
	o.header = *h
	o.header.Extensions = append(o.extensions[:0], h.Extensions...)
	c.mu.Lock()
	p.Number = c.next
	c.next++
	if h.SSRC == s.again {
		o.header.SequenceNumber = s.nextAgain
		s.nextAgain++
	}
	up := c.up
	if up {
		c.count(s, p)
	}
	c.mu.Unlock()
	if s.extension != 0 {
		o.number = [2]byte{byte(p.Number >> 8), byte(p.Number)}
		_ = packet.SetExtension(&o.header, s.extension, o.number[:]) // a header without room for it goes without
	}
	n, err := s.write.Write(&o.header, payload, a)
	if !up && n > 0 {
		c.mu.Lock()
		c.up = true
		c.count(s, p)
		c.rouse(time.Now())
		c.mu.Unlock()
	}
	return n, err
}

// count has the estimator know a packet that was sent. It needs c.mu.
func (c *Control) count(s *stream, p bandwidth.Packet) {
	c.owed -= p.Size
	if s.extension != 0 || !c.numbered {
		c.estimator.Sent(p)
	}
}

// padded returns the stream that carries padding: one that flows and has retransmissions, whose receivers drop a packet
// with nothing in it. nil: there is none. It needs c.mu.
func (c *Control) padded() *stream {
	for _, s := range c.streams {
		if c.up && s.video && s.flows && s.again != 0 && s.extension != 0 {
			return s
		}
	}
	return nil
}

// pad sends one packet of that many bytes of padding.
func (s *stream) pad(c *Control, size int) {
	c.mu.Lock()
	h := rtp.Header{
		Version: 2, Padding: true, PaddingSize: byte(size),
		PayloadType: s.againType, SSRC: s.again, Timestamp: s.timestamp,
	}
	c.mu.Unlock()
	p := bandwidth.Packet{Size: size + padOverhead, Sent: time.Now(), Probe: true}
	_, _ = c.number(s, &h, nil, nil, p) // as good as lost if it fails
}
