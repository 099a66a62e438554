package conduct

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Attributes of checks (RFC 8445 section 16.1).
const (
	useCandidate  = 0x0025 // nominates the pair
	iceControlled = 0x8029 // sent by the end that does not nominate
)

// nomination sends a connection's latest nomination again (RFC 8445 section 8.1.1). pion nominates once, and
// counts on the answer. But Firefox answers checks before it begins its own: it keeps the first from each address
// for later, and loses the others, a nomination among them (docs/pion.md). Such a pair would never be used.
//
// So each later check on the pair takes the nomination along, until the peer uses the pair. Checks that leave by a
// relay of ours are inside TURN's messages, and are not looked at.
type nomination struct {
	open atomic.Bool // the peer does not use the pair yet

	mu     sync.Mutex
	socket any
	to     netip.AddrPort
	packet []byte
}

// again takes a packet that is about to leave socket, and returns the nomination that goes before it, or nil.
func (n *nomination) again(socket any, to netip.AddrPort, packet []byte) []byte {
	if len(packet) == 0 || packet[0] != bindingRequest>>8 {
		return nil
	}
	nominates := carries(packet, useCandidate)
	if !nominates && !n.open.Load() {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if nominates {
		n.socket, n.to, n.packet = socket, to, bytes.Clone(packet)
		n.open.Store(true)
		return nil
	}
	if !n.open.Load() || n.socket != socket || n.to != to {
		return nil
	}
	if carries(packet, iceControlled) { // the roles have changed since
		n.end()
		return nil
	}
	return n.packet
}

// came takes a packet that has come to socket and shows that the peer uses the pair.
func (n *nomination) came(socket any, from netip.AddrPort) {
	if !n.open.Load() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.socket == socket && n.to == from {
		n.end()
	}
}

// end needs n.mu.
func (n *nomination) end() {
	n.open.Store(false)
	n.socket, n.packet = nil, nil
}

// carries reports whether a packet is a check with an attribute.
func carries(p []byte, attribute uint16) bool {
	if kind, _, ok := stunType(p); !ok || kind != bindingRequest {
		return false
	}
	for p = p[stunHeader:]; len(p) >= 4; {
		if binary.BigEndian.Uint16(p) == attribute {
			return true
		}
		size := 4 + (int(binary.BigEndian.Uint16(p[2:]))+3)/4*4
		if size > len(p) {
			return false
		}
		p = p[size:]
	}
	return false
}
