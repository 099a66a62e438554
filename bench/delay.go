package main

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"time"
)

const (
	oneWay    = 50 * time.Millisecond // from each host to each other one
	underWay  = 4096                  // packets to one host; more are lost
	maxPacket = 1 << 16               // bytes
)

// A parcel is an IP packet on its way, and when it is to arrive.
type parcel struct {
	packet []byte
	due    time.Time
}

// A network carries packets between hosts, each of them oneWay late. It does what netem would in the kernel, which not
// every kernel has.
type network struct {
	hosts []*host
	to    map[netip.Addr]chan parcel
}

// newNetwork makes n hosts.
func newNetwork(n int) (*network, error) {
	prefix := netip.MustParsePrefix("10.77.0.0/24")
	w := &network{to: make(map[netip.Addr]chan parcel)}
	addr := prefix.Addr()
	for range n {
		addr = addr.Next()
		h, err := newHost(addr, prefix)
		if err != nil {
			w.close()
			return nil, err
		}
		w.hosts = append(w.hosts, h)
		w.to[addr] = make(chan parcel, underWay)
	}
	for _, h := range w.hosts {
		go w.collect(h.device)
		go deliver(w.to[h.addr], h.device)
	}
	return w, nil
}

// collect takes what a host sends, until its device is closed.
func (w *network) collect(device io.Reader) {
	b := make([]byte, maxPacket)
	for {
		n, err := device.Read(b)
		if err != nil {
			return
		}
		to, is := destination(b[:n])
		if !is {
			continue
		}
		select {
		case w.to[to] <- parcel{append([]byte(nil), b[:n]...), time.Now().Add(oneWay)}:
		default: // nobody has that address, or too many are under way
		}
	}
}

// destination is where an IPv4 packet goes.
func destination(packet []byte) (netip.Addr, bool) {
	const header = 20 // RFC 791 section 3.1
	if len(packet) < header || packet[0]>>4 != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(packet[16:header])), true
}

// deliver hands packets to a host when they are due, in their order, until its device or in is closed.
func deliver(in <-chan parcel, device io.Writer) {
	for p := range in {
		time.Sleep(time.Until(p.due))
		if _, err := device.Write(p.packet); errors.Is(err, os.ErrClosed) {
			return
		}
	}
}

// close removes the hosts, whose programs have been stopped.
func (w *network) close() {
	for _, h := range w.hosts {
		h.close()
	}
}
