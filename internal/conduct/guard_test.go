package conduct

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/pion/transport/v5/packetio"
)

// nackOf returns a generic NACK that asks for n packets, from 0 on.
func nackOf(from uint32, n int) []byte {
	p := []byte{0x81, 205, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}
	binary.BigEndian.PutUint32(p[4:], from)
	for range n / 17 {
		p = append(p, 0, 0, 0xff, 0xff)
	}
	return p
}

// TestGuardResends: a peer that asks for packets again and again gets at most a
// multiple of what was sent.
func TestGuardResends(t *testing.T) {
	g := NewGuard(func(err error) { t.Errorf("fault: %v", err) })
	b := g.Buffer(packetio.RTCPBufferPacket, 7)
	asked := func() (n int) {
		for range 1000 {
			if _, err := b.Write(nackOf(1, 170)); err == nil {
				n += 170
				if _, err := b.Read(make([]byte, 1500)); err != nil {
					t.Fatal(err)
				}
			}
		}
		return n
	}
	if n := asked(); n > maxResends || n < maxResends-170 {
		t.Errorf("%d packets sent again", n)
	}
	for range 100 {
		g.sent()
	}
	if n := asked(); n > 100*resendShare+170 || n == 0 {
		t.Errorf("%d packets sent again, after 100 new ones", n)
	}
}

// TestGuardBounds: for RTP and RTCP, the sources and their unread bytes are bounded, and
// so are the senders of RTCP.
func TestGuardBounds(t *testing.T) {
	for _, kind := range []packetio.BufferPacketType{packetio.RTPBufferPacket, packetio.RTCPBufferPacket} {
		faults := 0
		g := NewGuard(func(error) { faults++ })
		waiting := 0
		for i := range 3 * MaxSources {
			if i == MaxSources && faults != 0 {
				t.Errorf("kind %d: fault at %d sources", kind, i)
			}
			b := g.Buffer(kind, uint32(i))
			for range 100 {
				if n, err := b.Write(append(nackOf(1, 0), make([]byte, 1000)...)); err == nil && i < MaxSources {
					waiting += n
				}
			}
		}
		if faults != 1 {
			t.Errorf("kind %d: %d faults", kind, faults)
		}
		if waiting > maxRTPBytes {
			t.Errorf("kind %d: %d bytes wait", kind, waiting)
		}
	}
	faults := 0
	g := NewGuard(func(error) { faults++ })
	b := g.Buffer(packetio.RTCPBufferPacket, 1)
	for i := range uint32(MaxSources + 100) {
		_, _ = b.Write(nackOf(i, 0)) // may be full
	}
	if faults != 1 || len(g.senders) > MaxSources {
		t.Errorf("RTCP of %d sources: %d faults", len(g.senders), faults)
	}
}

// TestGuardCountsBeforeReportsAreRead: what reads reports sees none that the guard refuses, and what it takes waits for
// nobody.
func TestGuardCountsBeforeReportsAreRead(t *testing.T) {
	read := 0
	g := NewGuard(func(err error) { t.Errorf("fault: %v", err) })
	g.Reports(func(source uint32, report []byte) bool {
		if source != 7 {
			t.Errorf("a report for source %d", source)
		}
		read++
		return report[1] == 205
	})
	b := g.Buffer(packetio.RTCPBufferPacket, 7)
	for range 2 * reportBurst {
		_, _ = b.Write(nackOf(1, 0)) // may be refused
	}
	if read < reportBurst || read > reportBurst+reportBurst/4 || g.bytes[1] != 0 {
		t.Errorf("%d of %d reports read, %d bytes wait", read, 2*reportBurst, g.bytes[1])
	}
	g = NewGuard(nil)
	g.Reports(func(uint32, []byte) bool { return false })
	b = g.Buffer(packetio.RTCPBufferPacket, 7)
	if _, err := b.Write(nackOf(1, 0)); err != nil || g.bytes[1] != len(nackOf(1, 0)) {
		t.Errorf("%v, %d bytes wait for pion", err, g.bytes[1])
	}
}

// TestGuardSaysWhatCanBeRead: of RTCP, once for each packet that pion gets, and when it is there.
func TestGuardSaysWhatCanBeRead(t *testing.T) {
	g := NewGuard(func(err error) { t.Errorf("fault: %v", err) })
	taken := false
	g.Reports(func(uint32, []byte) bool { return taken })
	var b io.ReadWriteCloser
	read := 0
	g.Waits(func(source uint32) {
		if source != 7 {
			t.Errorf("a packet of source %d", source)
		}
		if n, err := b.Read(make([]byte, 1500)); err != nil || n != len(nackOf(1, 0)) {
			t.Errorf("%d bytes can be read: %v", n, err)
		}
		read++
	})
	b = g.Buffer(packetio.RTPBufferPacket, 7)
	_, err := b.Write(nackOf(1, 0))
	if err != nil || read != 0 {
		t.Errorf("%d packets of RTP are read: %v", read, err)
	}
	b = g.Buffer(packetio.RTCPBufferPacket, 7)
	for _, taken = range []bool{false, true, false} {
		if _, err := b.Write(nackOf(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if read != 2 {
		t.Errorf("%d packets are read, want 2", read)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(nackOf(1, 0)); err == nil || read != 2 {
		t.Errorf("%d packets are read of a source that has ended: %v", read, err)
	}
}
