package conduct

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v5"
)

// NewPacedNet puts a pacer and a guard before a network.
func NewPacedNet(inner transport.Net, pacer *Pacer, guard *Guard) transport.Net {
	return pacedNet{inner, pacer, guard}
}

// pacedNet is a network whose UDP sockets pace checks, repeat nominations and show a guard
// what arrives from the peer.
type pacedNet struct {
	transport.Net
	pacer *Pacer
	guard *Guard
}

// leaves takes a packet that is to leave a socket. If it may, first goes before it, unless
// that is nil.
func (n pacedNet) leaves(socket any, to netip.AddrPort, packet []byte) (first []byte, ok bool) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if !n.pacer.out(time.Now(), socket, to, packet) {
		return nil, false
	}
	return n.pacer.nomination.again(socket, to, packet), true
}

// arrived takes a packet from the network. again, unless it is nil, is an earlier one from there that the socket delivers
// once more behind it.
func (n pacedNet) arrived(socket any, from netip.AddrPort, packet []byte) (again []byte) {
	if len(packet) == 0 {
		return nil
	}
	if packet[0] >= firstDTLS {
		n.pacer.nomination.came(socket, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
	switch packet[0] >> 6 {
	case 0: // STUN and DTLS
		return n.pacer.in(time.Now(), socket, from, packet)
	case 1: // ChannelData from a relay (RFC 8656 section 12.4)
		if len(packet) > 4 {
			n.guard.arrived(packet[4:])
		}
	case 2:
		if isRTCP(packet) && n.pacer.has(from) {
			n.guard.arrived(packet)
		}
	}
	return nil
}

// ListenPacket makes the sockets for TURN servers.
func (n pacedNet) ListenPacket(network, address string) (net.PacketConn, error) {
	c, err := n.Net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	return &relaySocket{c, n}, nil
}

type relaySocket struct {
	net.PacketConn
	net pacedNet
}

func (c *relaySocket) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(p)
	if err == nil {
		c.net.arrived(c, netip.AddrPort{}, p[:n])
	}
	return n, from, err
}

func (n pacedNet) ListenUDP(network string, at *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, at)
	if err != nil {
		return nil, err
	}
	if plain, ok := c.(*net.UDPConn); ok {
		return &pacedUDP{pacedConn{UDPConn: c, net: n}, plain}, nil
	}
	return &pacedConn{UDPConn: c, net: n}, nil
}

// pacedConn is a UDP socket, perhaps of a virtual network.
type pacedConn struct {
	transport.UDPConn
	net   pacedNet
	again atomic.Pointer[datagram] // is delivered next
}

type datagram struct {
	from    netip.AddrPort
	payload []byte
}

// arrived is pacedNet's, and keeps what is to be delivered again.
func (c *pacedConn) arrived(from netip.AddrPort, packet []byte) {
	if again := c.net.arrived(c, from, packet); again != nil {
		c.again.Store(&datagram{from, again})
	}
}

func (c *pacedConn) WriteTo(p []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok {
		first, ok := c.net.leaves(c, u.AddrPort(), p)
		if !ok {
			return len(p), nil
		}
		if first != nil {
			_, _ = c.UDPConn.WriteTo(first, to) // after an error it is lost, and goes with the next check
		}
	}
	return c.UDPConn.WriteTo(p, to)
}

func (c *pacedConn) ReadFrom(p []byte) (int, net.Addr, error) {
	if again := c.again.Swap(nil); again != nil {
		return copy(p, again.payload), net.UDPAddrFromAddrPort(again.from), nil
	}
	n, from, err := c.UDPConn.ReadFrom(p)
	if u, ok := from.(*net.UDPAddr); ok && err == nil {
		c.arrived(u.AddrPort(), p[:n])
	}
	return n, from, err
}

// pacedUDP is a socket of this machine. It has the methods by which pion's ICE
// reads and writes without allocating an address for each packet.
type pacedUDP struct {
	pacedConn
	plain *net.UDPConn // the same
}

func (c *pacedUDP) WriteToAddrPort(p []byte, to netip.AddrPort) (int, error) {
	first, ok := c.net.leaves(&c.pacedConn, to, p)
	if !ok {
		return len(p), nil
	}
	if first != nil {
		_, _ = c.plain.WriteToUDPAddrPort(first, to) // after an error it is lost, and goes with the next check
	}
	return c.plain.WriteToUDPAddrPort(p, to)
}

func (c *pacedUDP) ReadFromAddrPort(p []byte) (int, netip.AddrPort, error) {
	if again := c.again.Swap(nil); again != nil {
		return copy(p, again.payload), again.from, nil
	}
	n, from, err := c.plain.ReadFromUDPAddrPort(p)
	if err == nil {
		c.arrived(from, p[:n])
	}
	return n, from, err
}
