package payloads

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/transport/v5/packetio"
)

// table says what packets' numbers become. It is never changed.
type table struct {
	in, out map[uint32]*[count]uint8 // by source; nil: they stay
	unknown *[count]uint8            // of sources that no description has named; nil: they stay
}

// table returns the table for the packets of all sections, nil if none has anything to translate.
func (n *Numbers) table() *table {
	t := &table{in: make(map[uint32]*[count]uint8), out: make(map[uint32]*[count]uint8)}
	identical := true
	in, out := make(map[string]*[count]uint8), make(map[string]*[count]uint8)
	for mid, s := range n.sections {
		if !s.identical() {
			in[mid], out[mid], identical = arrayOf(s.ours), arrayOf(s.wire), false
		}
	}
	if identical {
		return nil
	}
	for source, mid := range n.received {
		t.in[source] = in[mid]
	}
	for source, mid := range n.sent {
		t.out[source] = out[mid]
	}
	t.unknown = n.agreed()
	return t
}

// agreed translates the numbers that all sections which have them translate alike.
func (n *Numbers) agreed() *[count]uint8 {
	all := arrayOf(nil)
	for _, s := range n.sections {
		for wire, ours := range s.ours {
			if n.means(wire, ours) {
				all[wire] = ours
			}
		}
	}
	return all
}

func arrayOf(numbers map[uint8]uint8) *[count]uint8 {
	a := new([count]uint8)
	for i := range a {
		a[i] = uint8(i)
	}
	for from, to := range numbers {
		a[from] = to
	}
	return a
}

// Packets translates the numbers of the packets of one connection. The zero Packets leaves them as they are. pion calls
// it from many goroutines.
type Packets struct{ now atomic.Pointer[table] }

// Follow makes Packets translate as n does now. It is called before pion applies a description, and before the peer is
// sent one.
func (p *Packets) Follow(n *Numbers) { p.now.Store(n.table()) }

// BufferFactory makes a buffer in which the packets of a source wait for pion.
type BufferFactory = func(packetio.BufferPacketType, uint32) io.ReadWriteCloser

// Buffer returns a factory whose buffers translate what they are given, which is decrypted and has not been read yet.
func (p *Packets) Buffer(inner BufferFactory) BufferFactory {
	return func(kind packetio.BufferPacketType, source uint32) io.ReadWriteCloser {
		b := inner(kind, source)
		if whole, ok := b.(packetBuffer); ok && kind == packetio.RTPBufferPacket {
			return &translatingBuffer{whole, p, source}
		}
		return b
	}
}

// packetBuffer is what pion expects of a buffer if it has it.
type packetBuffer interface {
	io.ReadWriteCloser
	ReadWithAttributes(p []byte, a packetio.Attributes) (int, packetio.Attributes, error)
	WriteWithAttributes(p []byte, a packetio.Attributes) (int, error)
	SetReadDeadline(t time.Time) error
}

type translatingBuffer struct {
	packetBuffer
	packets *Packets
	source  uint32
}

func (b *translatingBuffer) Write(p []byte) (int, error) {
	b.packets.arrived(b.source, p)
	return b.packetBuffer.Write(p)
}

func (b *translatingBuffer) WriteWithAttributes(p []byte, a packetio.Attributes) (int, error) {
	b.packets.arrived(b.source, p)
	return b.packetBuffer.WriteWithAttributes(p, a)
}

// arrived translates a packet in place.
func (p *Packets) arrived(source uint32, packet []byte) {
	t := p.now.Load()
	if t == nil || len(packet) < 2 {
		return
	}
	numbers, named := t.in[source]
	if !named {
		numbers = t.unknown
	}
	if numbers != nil {
		packet[1] = packet[1]&0x80 | numbers[packet[1]&0x7f]
	}
}

// NewInterceptor implements interceptor.Factory. The interceptor must be the last before the network: what is sent
// again has passed all others once.
func (p *Packets) NewInterceptor(string) (interceptor.Interceptor, error) {
	return &translator{packets: p}, nil
}

type translator struct {
	interceptor.NoOp
	packets *Packets
}

func (t *translator) BindLocalStream(_ *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		if now := t.packets.now.Load(); now != nil {
			if numbers := now.out[h.SSRC]; numbers != nil && numbers[h.PayloadType&0x7f] != h.PayloadType {
				translated := *h // the header is the caller's
				translated.PayloadType = numbers[h.PayloadType&0x7f]
				h = &translated
			}
		}
		return w.Write(h, payload, a)
	})
}
