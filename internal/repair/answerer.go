package repair

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"

	"noom/internal/packet"
)

// apart is how much longer than a round trip it takes until a packet is sent again again: two requests may be under way
// for the same loss.
const apart = 5 * time.Millisecond

// Answerer sends packets again for which the peer of one connection asks (RFC 4585 section 6.2.1), in a stream of their own
// if one was agreed on (RFC 4588). It is an interceptor, which pion calls from many goroutines. It keeps the latest packets
// of each stream; their payloads it shares with other connections, as far as Lenders lend them.
type Answerer struct {
	interceptor.NoOp
	began time.Time // Immutable.

	mu      sync.Mutex // a leaf lock: nothing outside is called while it is held
	lenders map[uint32]*Lender
	streams map[uint32]*sentStream
}

// NewAnswerer returns an Answerer for one connection.
func NewAnswerer() *Answerer {
	return &Answerer{began: time.Now(), lenders: make(map[uint32]*Lender), streams: make(map[uint32]*sentStream)}
}

// NewInterceptor implements interceptor.Factory. pion calls it once, because an Answerer belongs to one connection.
func (a *Answerer) NewInterceptor(string) (interceptor.Interceptor, error) { return a, nil }

// Borrow has the packets of a stream lent by l. It is called before the stream is bound.
func (a *Answerer) Borrow(source uint32, l *Lender) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lenders[source] = l
}

// sentStream is one that we send.
type sentStream struct {
	// Immutable.
	write       interceptor.RTPWriter
	ssrc, again uint32 // again: of retransmissions; 0: none are negotiated
	againType   uint8
	lender      *Lender // nil: nobody lends

	mu        sync.Mutex // a leaf lock, but for Payloads
	history   history
	trip      time.Duration // there and back, smoothed; 0: unknown
	nextAgain uint16        // sequence number of the next retransmission
	over      bool
}

// BindLocalStream implements interceptor.Interceptor: it keeps what is sent on streams that can be repaired.
func (a *Answerer) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	if !repairs(info) {
		return w
	}
	s := &sentStream{write: w, ssrc: info.SSRC, nextAgain: uint16(rand.Uint32())}
	if info.SSRCRetransmission != 0 && info.PayloadTypeRetransmission != 0 {
		s.again, s.againType = info.SSRCRetransmission, info.PayloadTypeRetransmission
	}
	a.mu.Lock()
	s.lender = a.lenders[s.ssrc]
	before := a.streams[s.ssrc]
	a.streams[s.ssrc] = s
	a.mu.Unlock()
	before.end()
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, attrs interceptor.Attributes) (int, error) {
		if h.SSRC == s.ssrc {
			s.keep(h, payload, time.Since(a.began))
		}
		return w.Write(h, payload, attrs)
	})
}

// UnbindLocalStream implements interceptor.Interceptor.
func (a *Answerer) UnbindLocalStream(info *interceptor.StreamInfo) {
	a.mu.Lock()
	s := a.streams[info.SSRC]
	delete(a.streams, info.SSRC)
	delete(a.lenders, info.SSRC)
	a.mu.Unlock()
	s.end()
}

// Close implements interceptor.Interceptor.
func (a *Answerer) Close() error {
	a.mu.Lock()
	streams := a.streams
	a.streams, a.lenders = make(map[uint32]*sentStream), make(map[uint32]*Lender)
	a.mu.Unlock()
	for _, s := range streams {
		s.end()
	}
	return nil
}

// end lets go of what a stream has kept, for good. s may be nil.
func (s *sentStream) end() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.history.clear()
}

// keep keeps a packet that is about to be sent.
func (s *sentStream) keep(h *rtp.Header, payload []byte, now time.Duration) {
	p := sentPacket{
		payload: s.lender.borrow(payload), timestamp: h.Timestamp, seq: h.SequenceNumber, format: h.PayloadType,
		marker: h.Marker, at: now,
	}
	if p.payload == nil {
		p.payload = copyOf(payload)
	}
	if h.Padding {
		p.padding = h.PaddingSize
	}
	if len(h.CSRC) > 0 || len(h.Extensions) > 0 {
		header := h.Clone()
		p.more = &header
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || !s.history.add(p) {
		p.payload.Release()
	}
}

// BindRTCPReader implements interceptor.Interceptor: it answers in the goroutine that reads, so that a peer that asks much
// has us do one thing at a time.
func (a *Answerer) BindRTCPReader(r interceptor.RTCPReader) interceptor.RTCPReader {
	return interceptor.RTCPReaderFunc(func(b []byte, attrs interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, attrs, err := r.Read(b, attrs)
		if err == nil {
			a.take(b[:n])
		}
		return n, attrs, err
	})
}

// take takes a compound RTCP packet.
func (a *Answerer) take(compound []byte) {
	for p, rest := packet.CutRTCP(compound); p != nil; p, rest = packet.CutRTCP(rest) {
		if source, pairs, ok := packet.IsNACK(p); ok {
			a.mu.Lock()
			s := a.streams[source]
			a.mu.Unlock()
			s.answer(pairs, a.began)
			continue
		}
		now := time.Now()
		a.mu.Lock()
		for source, s := range a.streams {
			if d, ok := packet.ReportedTrip(p, source, now); ok {
				s.took(d)
			}
		}
		a.mu.Unlock()
	}
}

// took takes a round trip that the peer has reported.
func (s *sentStream) took(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trip == 0 {
		s.trip = d
	}
	s.trip += (d - s.trip) / 8
}

// answer sends what is asked for, as far as it is there. s may be nil.
func (s *sentStream) answer(pairs []byte, began time.Time) {
	if s == nil {
		return
	}
	for ; len(pairs) >= 4; pairs = pairs[4:] {
		seq, more := binary.BigEndian.Uint16(pairs), binary.BigEndian.Uint16(pairs[2:])
		s.repeat(seq, time.Since(began))
		for ; more != 0; more &= more - 1 {
			s.repeat(seq+1+uint16(bits.TrailingZeros16(more)), time.Since(began))
		}
	}
}

// repeat sends a packet again, unless that was done within the last round trip.
func (s *sentStream) repeat(seq uint16, now time.Duration) {
	s.mu.Lock()
	p := s.history.get(seq)
	if p == nil || p.repeated > 0 && now-p.repeated < s.trip+apart {
		s.mu.Unlock()
		return
	}
	p.repeated = max(now, 1)
	header, payload := s.headerOf(p), p.payload
	payload.Hold()
	s.mu.Unlock()
	defer payload.Release()
	if s.again == 0 {
		_, _ = s.write.Write(&header, payload.Bytes(), nil) // an error means that the connection is closed
		return
	}
	b := repeats.Get().(*[]byte)
	defer repeats.Put(b)
	*b = append(binary.BigEndian.AppendUint16((*b)[:0], seq), payload.Bytes()...) // RFC 4588 section 4
	_, _ = s.write.Write(&header, *b, nil)                                        // the same
}

var repeats = sync.Pool{New: func() any { return new([]byte) }}

// headerOf returns the header with which a packet is sent again. It needs s.mu.
func (s *sentStream) headerOf(p *sentPacket) rtp.Header {
	h := rtp.Header{Version: 2}
	if p.more != nil {
		h = p.more.Clone()
	}
	h.Marker, h.Timestamp, h.SequenceNumber, h.SSRC, h.PayloadType = p.marker, p.timestamp, p.seq, s.ssrc, p.format
	h.Padding, h.PaddingSize = p.padding > 0, p.padding
	if s.again != 0 {
		h.SSRC, h.PayloadType, h.SequenceNumber = s.again, s.againType, s.nextAgain
		h.Padding, h.PaddingSize = false, 0
		s.nextAgain++
	}
	return h
}
