package main

import (
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// packetTo is an IPv4 packet, as far as a network looks into it.
func packetTo(to netip.Addr, payload byte) []byte {
	four := to.As4()
	return append(append([]byte{0x45, 15: 0}, four[:]...), payload)
}

// Each packet arrives at the host of its address, oneWay after it was sent; what is for nobody is lost.
func TestNetworkDelaysEachPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
		w := &network{to: map[netip.Addr]chan parcel{here: make(chan parcel, underWay), there: make(chan parcel, underWay)}}
		out, sent := io.Pipe()
		received, in := io.Pipe()
		go w.collect(out)
		go deliver(w.to[there], in)
		defer close(w.to[there])
		defer func() { _ = sent.Close() }()
		began, apart := time.Now(), 10*time.Millisecond
		go func() {
			for i := range byte(3) {
				for _, p := range [][]byte{{0x60}, packetTo(here, i), packetTo(there, i), packetTo(there.Next(), i)} {
					_, _ = sent.Write(p)
				}
				time.Sleep(apart)
			}
		}()
		b := make([]byte, maxPacket)
		for i := range byte(3) {
			n, err := received.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if n != 21 || b[20] != i {
				t.Errorf("packet %d: %d bytes, the last is %d", i, n, b[n-1])
			}
			if took := time.Since(began) - time.Duration(i)*apart; took != oneWay {
				t.Errorf("packet %d took %v, want %v", i, took, oneWay)
			}
		}
	})
}
