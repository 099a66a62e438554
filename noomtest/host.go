package noomtest

import (
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"noom/internal/conduct"
	"noom/internal/connection"

	"github.com/pion/ice/v4"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/vnet"
	"github.com/pion/webrtc/v4"

	"noom"
)

// host is a virtual computer: what pion takes for the operating system's
// network. It keeps its name when its address changes.
type host struct {
	transport.Net // the first card: for all that does not depend on the address
	world         *World
	name          string
	nat           NAT

	mu      sync.Mutex
	card    *vnet.Net
	public  string
	taken   bool // a Room was set up to use this host
	offline bool // signaling is cut
	silent  bool // … without notice
	lines   []*line
}

// attach gives the host an address, a new one if it had one.
func (h *host) attach() error {
	w := h.world
	w.mu.Lock()
	number := w.addresses
	w.addresses++
	w.mu.Unlock()
	card, public, err := w.net.attach(h.name, h.nat, number)
	if err != nil {
		return err
	}
	h.mu.Lock()
	before := h.public
	h.card, h.public = card, public
	if h.Net == nil {
		h.Net = card
	}
	h.mu.Unlock()
	if before != "" {
		w.net.detach(before)
	}
	return nil
}

func (h *host) now() *vnet.Net {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.card
}

// Random pauses keep two ends from closing at the same instant.
func init() { connection.BeforeClose = func() { time.Sleep(rand.N(time.Millisecond)) } }

// settings puts a Room on this host, even one whose Config has only these settings and not the Net.
func (h *host) settings(s *webrtc.SettingEngine) {
	h.mu.Lock()
	h.taken = true
	h.mu.Unlock()
	s.SetNet(h)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
}

// config returns cfg, or a new Config, for a Room on this host.
func (h *host) config(cfg *noom.Config) *noom.Config {
	var c noom.Config
	if cfg != nil {
		c = *cfg
	}
	if c.Name == "" {
		c.Name = h.name
	}
	c.Net = h
	settings, trace := c.Settings, c.Trace
	c.Settings = func(s *webrtc.SettingEngine) {
		h.settings(s)
		if settings != nil {
			settings(s)
		}
	}
	c.TraceBodies = true
	c.Trace = func(e noom.Trace) {
		h.world.observe(h, e)
		if trace != nil {
			trace(e)
		}
	}
	return &c
}

// The part of [transport.Net] that depends on the address.

func (h *host) Interfaces() ([]*transport.Interface, error) { return h.now().Interfaces() }

func (h *host) InterfaceByIndex(index int) (*transport.Interface, error) {
	return h.now().InterfaceByIndex(index)
}

func (h *host) InterfaceByName(name string) (*transport.Interface, error) {
	return h.now().InterfaceByName(name)
}

func (h *host) ListenPacket(network, address string) (net.PacketConn, error) {
	return h.udp(func(card *vnet.Net) (net.PacketConn, error) { return card.ListenPacket(network, address) })
}

func (h *host) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	return h.udp(func(card *vnet.Net) (net.PacketConn, error) { return card.ListenUDP(network, cloneAddr(local)) })
}

func (h *host) DialUDP(network string, local, remote *net.UDPAddr) (transport.UDPConn, error) {
	return h.udp(func(card *vnet.Net) (net.PacketConn, error) { return card.DialUDP(network, cloneAddr(local), remote) })
}

// udp opens a socket. Where the port does not matter, vnet chooses one from 5000 to 5999, and some
// of those belong to services: a peer takes no candidate there. Real systems give away higher ones.
func (h *host) udp(open func(*vnet.Net) (net.PacketConn, error)) (*socket, error) {
	card := h.now()
	for range maxPorts {
		c, err := open(card)
		if err != nil {
			return nil, err
		}
		s := &socket{UDPConn: c.(*vnet.UDPConn), host: h, card: card}
		if port := c.LocalAddr().(*net.UDPAddr).Port; conduct.PeerPort(uint64(port)) {
			return s, nil
		}
		if err := c.Close(); err != nil {
			return nil, err
		}
	}
	return nil, errPorts
}

// maxPorts is how many ports are tried; a few in a thousand belong to services.
const maxPorts = 10

var errPorts = errors.New("noomtest: the port belongs to a service, and peers take no candidate there; use another from 1024 on")

// cloneAddr copies an address, because vnet writes the port that it chooses into the one it gets.
func cloneAddr(a *net.UDPAddr) *net.UDPAddr {
	if a == nil {
		return nil
	}
	b := *a
	return &b
}

// socket is a UDP socket whose packets take their time.
type socket struct {
	*vnet.UDPConn
	host *host
	card *vnet.Net // the one it was opened on; packets of an earlier one go nowhere
}

func (s *socket) Write(b []byte) (int, error) {
	return s.send(b, s.RemoteAddr(), func(b []byte) { _, _ = s.UDPConn.Write(b) })
}

func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	return s.send(b, to, func(b []byte) { _, _ = s.UDPConn.WriteTo(b, to) })
}

func (s *socket) WriteToUDP(b []byte, to *net.UDPAddr) (int, error) { return s.WriteTo(b, to) }

func (s *socket) send(b []byte, to net.Addr, deliver func([]byte)) (int, error) {
	if s.host.now() == s.card {
		kept := slices.Clone(b)
		s.host.world.net.pass(s.host.name, s.LocalAddr(), to, kept, func() { deliver(kept) })
	}
	return len(b), nil
}
