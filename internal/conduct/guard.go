package conduct

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v5/packetio"
	"golang.org/x/time/rate"

	"noom/internal/fault"
)

// What one connection may make pion keep and do. 64 sections have 128 sources that we send, and 224 of
// the peer, retransmission and several encodings included.
const (
	MaxSources     = 512     // of RTP; of RTCP, as many that are reported on, and as many senders
	maxReporters   = 4096    // senders of RTCP as seen on the socket, whatever they report on
	maxSourceBytes = 1 << 20 // unread, of one source
	maxRTPBytes    = 8 << 20 // unread, of all sources
	maxRTCPBytes   = 1 << 20

	reportRate  = 1000 // RTCP packets a second, counted for each source they report on
	reportBurst = 4000

	// Retransmissions, as many as a receiver on a bad path asks for: pion's asks
	// about 12 times for each packet.
	resendShare = 4 // for each packet sent
	maxResends  = 4000
)

// Guard bounds what the peer of one connection can make pion keep, by sending from
// ever new sources, and what it can make pion send, by asking for retransmissions. It
// provides pion's buffers and is an interceptor that counts what is sent. pion calls it
// from many goroutines.
type Guard struct {
	fault func(error) // called once
	take  func(source uint32, report []byte) bool
	waits func(source uint32)

	mu        sync.Mutex
	reported  bool                // fault was called
	sources   [2]int              // buffers made, of RTP and RTCP
	bytes     [2]int              // unread in them
	senders   map[uint32]struct{} // of RTCP
	reporters map[uint32]struct{} // senders of RTCP, as seen on the socket
	reports   *rate.Limiter
	resends   int // that may still be asked for
}

// NewGuard returns a Guard that calls fault once the peer breaks a bound.
func NewGuard(fault func(error)) *Guard {
	return &Guard{
		fault: fault, senders: make(map[uint32]struct{}), reporters: make(map[uint32]struct{}),
		reports: rate.NewLimiter(reportRate, reportBurst), resends: maxResends,
	}
}

// blame reports what the peer does, once. It needs g.mu.
func (g *Guard) blame(format string, args ...any) {
	if !g.reported {
		g.reported = true
		g.fault(fmt.Errorf("%w: "+format, append([]any{fault.Rules}, args...)...))
	}
}

// Reports sets a function that sees each RTCP packet once it was counted, with the source in whose buffer it comes. If it
// reports true, pion does not get the packet. It is called before Buffer.
func (g *Guard) Reports(take func(source uint32, report []byte) bool) { g.take = take }

// Waits sets a function that is called when an RTCP packet waits in the buffer of a source, after it was put there. It is
// called before Buffer.
func (g *Guard) Waits(f func(source uint32)) { g.waits = f }

// Buffer is pion's BufferFactory: it is called for each new source.
func (g *Guard) Buffer(kind packetio.BufferPacketType, source uint32) io.ReadWriteCloser {
	g.mu.Lock()
	defer g.mu.Unlock()
	of, most := 0, maxRTPBytes
	if kind == packetio.RTCPBufferPacket {
		of, most = 1, maxRTCPBytes
	}
	if g.sources[of]++; g.sources[of] > MaxSources {
		g.blame("more than %d sources", MaxSources)
		return sourceSink{}
	}
	b := &sourceBuffer{guard: g, source: source, of: of, most: most, inner: packetio.NewBuffer()}
	b.inner.SetLimitSize(maxSourceBytes)
	return b
}

// sourceSink drops the packets of sources beyond the bound.
type sourceSink struct{}

func (sourceSink) Read([]byte) (int, error)    { return 0, io.EOF }
func (sourceSink) Write(p []byte) (int, error) { return len(p), nil }
func (sourceSink) Close() error                { return nil }

// sourceBuffer holds the packets of one source until they are read, as pion's
// own buffer does.
type sourceBuffer struct {
	guard    *Guard
	source   uint32
	of, most int
	inner    *packetio.Buffer
}

func (b *sourceBuffer) Read(p []byte) (int, error) {
	n, _, err := b.ReadWithAttributes(p, nil)
	return n, err
}

func (b *sourceBuffer) ReadWithAttributes(p []byte, attrs packetio.Attributes) (int, packetio.Attributes, error) {
	n, attrs, err := b.inner.Read(p, attrs)
	b.guard.mu.Lock()
	b.guard.bytes[b.of] = max(0, b.guard.bytes[b.of]-n)
	b.guard.mu.Unlock()
	return n, attrs, err
}

func (b *sourceBuffer) Write(p []byte) (int, error) { return b.WriteWithAttributes(p, nil) }

func (b *sourceBuffer) WriteWithAttributes(p []byte, attrs packetio.Attributes) (int, error) {
	if !b.guard.takes(b.of, b.most, p, time.Now()) {
		return 0, packetio.ErrFull // pion ignores it
	}
	if b.of == 1 && b.guard.take != nil && b.guard.take(b.source, p) {
		b.unread(len(p))
		return len(p), nil
	}
	n, err := b.inner.Write(p, attrs)
	switch {
	case err != nil:
		b.unread(len(p))
	case b.of == 1 && b.guard.waits != nil:
		b.guard.waits(b.source)
	}
	return n, err
}

// unread takes back a packet that was counted.
func (b *sourceBuffer) unread(n int) {
	b.guard.mu.Lock()
	defer b.guard.mu.Unlock()
	b.guard.bytes[b.of] -= n
}

func (b *sourceBuffer) Close() error {
	b.guard.mu.Lock()
	b.guard.bytes[b.of] = max(0, b.guard.bytes[b.of]-b.inner.Size())
	b.guard.mu.Unlock()
	return b.inner.Close()
}

func (b *sourceBuffer) SetReadDeadline(t time.Time) error { return b.inner.SetReadDeadline(t) }

// takes reports whether a packet may wait to be read, and counts it.
func (g *Guard) takes(of, most int, p []byte, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if of == 1 && !g.takesReport(p, now) || g.bytes[of]+len(p) > most {
		return false
	}
	g.bytes[of] += len(p)
	return true
}

// takesReport judges one RTCP packet. It needs g.mu.
func (g *Guard) takesReport(p []byte, now time.Time) bool {
	if len(p) < 8 || !g.reports.AllowN(now, 1) {
		return false
	}
	from := binary.BigEndian.Uint32(p[4:])
	if _, known := g.senders[from]; !known {
		if len(g.senders) >= MaxSources {
			g.blame("RTCP of more than %d sources", MaxSources)
			return false
		}
		g.senders[from] = struct{}{}
	}
	asked := resendsAsked(p)
	if asked > g.resends {
		return false
	}
	g.resends -= asked
	return true
}

// arrived takes a packet from the peer's address, before pion does. A report on no
// source reaches no buffer, but pion keeps a replay window for its sender for good.
// SRTCP does not encrypt the sender's SSRC (RFC 3711 section 3.4).
func (g *Guard) arrived(p []byte) {
	if !isRTCP(p) {
		return
	}
	from := binary.BigEndian.Uint32(p[4:])
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.reporters[from]; known {
		return
	}
	if len(g.reporters) >= maxReporters {
		g.blame("RTCP of more than %d sources", maxReporters)
		return
	}
	g.reporters[from] = struct{}{}
}

// isRTCP reports whether an RTP or RTCP packet is RTCP (RFC 5761 section 4).
func isRTCP(p []byte) bool { return len(p) >= 8 && p[0]>>6 == 2 && p[1] >= 192 && p[1] <= 223 }

// resendsAsked returns how many packets a generic NACK asks for (RFC 4585 section 6.2.1).
func resendsAsked(p []byte) (n int) {
	if p[1] != uint8(rtcp.TypeTransportSpecificFeedback) || p[0]&0x1f != rtcp.FormatTLN {
		return 0
	}
	for at := 12; at+4 <= len(p); at += 4 {
		n += 1 + bits.OnesCount16(binary.BigEndian.Uint16(p[at+2:]))
	}
	return n
}

// NewInterceptor implements interceptor.Factory. pion calls it once, because a
// guard belongs to one connection.
func (g *Guard) NewInterceptor(string) (interceptor.Interceptor, error) {
	return &sentCounter{guard: g}, nil
}

// sentCounter counts the packets that are sent for the first time.
type sentCounter struct {
	interceptor.NoOp
	guard *Guard
}

func (c *sentCounter) BindLocalStream(_ *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		c.guard.sent()
		return w.Write(h, payload, a)
	})
}

// sent counts one packet.
func (g *Guard) sent() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resends = min(g.resends+resendShare, maxResends)
}
