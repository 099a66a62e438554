package turn

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/pion/logging"
	pion "github.com/pion/turn/v5"
)

// Config is how a server behaves. Nil works.
type Config struct {
	// Limits bound what members may do.
	Limits Limits
	// Everywhere lets members relay to private, loopback and link-local addresses too, and to
	// services on this machine. It is for tests: on a public machine it lets strangers into the
	// network behind it.
	Everywhere bool
}

// A Server relays for the members of a hub. Its methods may be called from several goroutines.
type Server struct {
	relays *relays
	all    *connections
	secret string // what credentials are signed with

	// Behind mu.
	mu       sync.Mutex
	closed   bool
	sockets  int // how many there were
	servers  []*pion.Server
	stunURLs []string
	turnURLs []string
}

// ErrClosed is in what Listen and Share return after Close.
var ErrClosed = fmt.Errorf("turn: the server was closed: %w", net.ErrClosed)

// New makes a server whose relays are at an address: one of this machine, or of a NAT before it
// that passes UDP on port by port. Relays have UDP ports from 49152 to 65535; members that both
// relay through this server need none of them open from outside. It serves nothing before
// [Server.Listen] or [Server.Share].
func New(address netip.Addr, config *Config) (*Server, error) {
	address = address.Unmap()
	switch {
	case !address.IsValid() || address.IsUnspecified() || address.IsMulticast():
		return nil, fmt.Errorf("turn: nobody can reach relays at %s; use this machine's own address", address)
	case address.Zone() != "":
		return nil, fmt.Errorf("turn: the address %s has a zone, which means something on this machine only", address)
	}
	if config == nil {
		config = new(Config)
	}
	inner, err := boundAddress(address)
	if err != nil {
		return nil, err
	}
	r := newRelays(address, inner, config.Everywhere, config.Limits)
	s := &Server{relays: r, all: newConnections(r.limits), secret: rand.Text()}
	r.settled = s.all.settle
	return s, nil
}

// boundAddress is where sockets for an address are opened: there or, where it is not this machine's
// own, at all addresses.
func boundAddress(address netip.Addr) (netip.Addr, error) {
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, 0)))
	switch {
	case err == nil:
		return address, socket.Close()
	case !errors.Is(err, syscall.EADDRNOTAVAIL):
		return address, fmt.Errorf("turn: no socket can be opened at %s: %w", address, err)
	case address.Is6():
		return netip.IPv6Unspecified(), nil
	}
	return netip.IPv4Unspecified(), nil
}

// Address is where the relays are.
func (s *Server) Address() netip.Addr { return s.relays.outer }

// Listen serves UDP and TCP on a port of the server's address, and returns the port: one that is free
// for both if it is 0.
func (s *Server) Listen(ctx context.Context, port uint16) (uint16, error) {
	tcp, udp, err := s.listenBoth(ctx, port)
	if err != nil {
		return 0, fmt.Errorf("turn: %w", err)
	}
	at := netip.AddrPortFrom(s.relays.outer, uint16(portOf(tcp.Addr()))) //nolint:gosec // a port
	over := s.nextSocket()
	err = s.serve(over, pion.ServerConfig{PacketConnConfigs: []pion.PacketConnConfig{{
		PacketConn:            &gate{udp, s.relays, over, newRequests(s.relays.limits.AskRate)},
		RelayAddressGenerator: s.relays, PermissionHandler: s.permission(over),
	}}}, "stun:"+at.String(), "turn:"+at.String()+"?transport=udp")
	if err != nil {
		return 0, errors.Join(err, tcp.Close(), udp.Close())
	}
	if err = s.serveConnections(tcp, "turn:"+at.String()+"?transport=tcp"); err != nil {
		return 0, errors.Join(err, tcp.Close())
	}
	return at.Port(), nil
}

// listenBoth opens both sockets of a port.
func (s *Server) listenBoth(ctx context.Context, port uint16) (net.Listener, net.PacketConn, error) {
	for {
		at := netip.AddrPortFrom(s.relays.inner, port)
		tcp, err := new(net.ListenConfig).Listen(ctx, "tcp", at.String())
		if err != nil {
			return nil, nil, err
		}
		at = netip.AddrPortFrom(at.Addr(), uint16(portOf(tcp.Addr()))) //nolint:gosec // a port
		udp, err := new(net.ListenConfig).ListenPacket(ctx, "udp", at.String())
		if err == nil {
			return tcp, udp, nil
		}
		_ = tcp.Close() // it has nothing to lose
		if port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil, err
		}
	}
}

// nextSocket numbers a socket of ours.
func (s *Server) nextSocket() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets++
	return s.sockets
}

// serveConnections serves what a listener accepts, until it is closed.
func (s *Server) serveConnections(l net.Listener, url string) error {
	over := s.nextSocket()
	return s.serve(over, pion.ServerConfig{ListenerConfigs: []pion.ListenerConfig{{
		Listener:              s.all.listener(l, over, s.relays.outer),
		RelayAddressGenerator: s.relays, PermissionHandler: s.permission(over),
	}}}, "", url)
}

// serve starts pion on one socket of ours: its callbacks say the client's address alone, and two
// clients at two sockets may have the same. Without an error, members learn of its URLs.
func (s *Server) serve(over int, config pion.ServerConfig, stunURL, turnURL string) error {
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard // what strangers do wrong is no news
	config.Realm, config.LoggerFactory = realm, quiet
	config.PermissionTimeout = permissionLife
	config.QuotaHandler = func(user, _ string, from net.Addr) bool {
		return s.relays.mayHaveMore(user, clientAt(over, from).prefix())
	}
	config.AuthHandler = func(r *pion.RequestAttributes) (string, []byte, bool) {
		if len(config.ListenerConfigs) > 0 { // a client that asks too fast waits, and its further data in the socket
			time.Sleep(s.relays.pause(clientAt(over, r.SrcAddr), time.Now()))
		}
		return s.authenticate(r)
	}
	config.EventHandler = s.events(over)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	server, err := pion.NewServer(config)
	if err != nil {
		return fmt.Errorf("turn: %w", err)
	}
	s.servers = append(s.servers, server)
	if stunURL != "" {
		s.stunURLs = append(s.stunURLs, stunURL)
	}
	s.turnURLs = append(s.turnURLs, turnURL)
	return nil
}

// events keep the accounts of the clients of one socket.
func (s *Server) events(over int) pion.EventHandler {
	channel := func(by int) func(from, _ net.Addr, _, _, _ string, at, _ net.Addr, _ uint16) {
		return func(from, _ net.Addr, _, _, _ string, at, _ net.Addr, _ uint16) {
			s.relays.channel(clientAt(over, from), at, by)
		}
	}
	return pion.EventHandler{
		OnAllocationCreated: func(from, _ net.Addr, _, _, _ string, at net.Addr, _ int) {
			s.relays.created(clientAt(over, from), at)
		},
		OnAllocationDeleted: func(from, _ net.Addr, _, _, _ string) { s.all.settle(clientAt(over, from), false) },
		OnChannelCreated:    channel(1), OnChannelDeleted: channel(-1),
	}
}

// permission is what pion asks before a client of one socket may relay to an address.
func (s *Server) permission(over int) pion.PermissionHandler {
	return func(from net.Addr, peer net.IP) bool { return s.relays.grants(clientAt(over, from), peer) }
}

// Close ends everything that is relayed. Listeners that [Server.Share] has returned go on without
// TURN. Only the first call does anything.
func (s *Server) Close() error {
	s.mu.Lock()
	servers := s.servers
	s.closed, s.servers, s.stunURLs, s.turnURLs = true, nil, nil, nil
	s.mu.Unlock()
	var failures []error
	for _, server := range servers {
		failures = append(failures, server.Close())
	}
	s.all.cut()
	return errors.Join(failures...)
}
