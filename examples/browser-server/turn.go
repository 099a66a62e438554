package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the TURN REST API is defined with it, and HMAC does not need collision resistance
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"noom/signal"
)

// This file is the -turn flag: a TURN server (RFC 8656) in this process, for members of its hub
// only. They get credentials after the TURN REST API (draft-uberti-behave-turn-rest-00), good for a
// short while and bound to their id. relay.go says what a member may do with them.

const (
	// turnLifetime is for how long credentials make new allocations. Members
	// ask for new ones when four fifths of it have gone.
	turnLifetime = 10 * time.Minute
	// longestCall is for how long after that an allocation may be kept up: a
	// call outlives the credentials that it began with. Then its members
	// find a new path with new ones.
	longestCall = 24 * time.Hour
	turnRealm   = "noom"
)

// turnServer is a running TURN server.
type turnServer struct {
	server *turn.Server
	at     netip.AddrPort // where members find it, over UDP and TCP
	secret string
	relays *relays
	tcp    *boundedListener
}

// turnAddress reads what -turn says.
func turnAddress(text string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(text)
	switch {
	case err != nil:
		return at, fmt.Errorf("-turn %s: want IP:PORT, the address under which members reach this machine, such as 203.0.113.7:3478", text)
	case at.Addr().IsUnspecified() || at.Addr().IsMulticast():
		return at, fmt.Errorf("-turn %s: members cannot reach that; name this machine's own address", text)
	case at.Addr().Zone() != "":
		return at, fmt.Errorf("-turn %s: an address with a zone means something on this machine only", text)
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
}

// startTURN serves on UDP and TCP. Members find it at the address at, which is
// either this machine's own or one that a NAT in front passes on port by port.
// everywhere lets it relay to addresses that no stranger should reach through
// this machine.
func startTURN(ctx context.Context, at netip.AddrPort, everywhere bool, limits turnLimits) (*turnServer, error) {
	inner, tcp, err := listenTURN(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("-turn: cannot listen on %s/tcp: %s", at, reason(err))
	}
	at = netip.AddrPortFrom(at.Addr(), netip.MustParseAddrPort(tcp.Addr().String()).Port()) // a listener's address is one
	udp, err := new(net.ListenConfig).ListenPacket(ctx, "udp", netip.AddrPortFrom(inner, at.Port()).String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("-turn: cannot listen on %s/udp: %s", at, reason(err)), tcp.Close())
	}
	relays := newRelays(at.Addr(), inner, everywhere, limits)
	s := &turnServer{
		at: at, secret: rand.Text(), relays: relays,
		tcp: boundConnections(tcp, relays.limits),
	}
	relays.settled = s.tcp.settle
	asked := newRequests(relays.limits.askRate, relays.limits.ownAskRate)
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard // what strangers do wrong is no news
	s.server, err = turn.NewServer(turn.ServerConfig{
		Realm: turnRealm, AuthHandler: s.admit, QuotaHandler: relays.mayHaveMore, LoggerFactory: quiet,
		PermissionTimeout: permissionLife,
		EventHandler: turn.EventHandler{
			OnAllocationCreated: relays.created, OnAllocationDeleted: relays.deleted,
			OnChannelCreated: relays.channel(1), OnChannelDeleted: relays.channel(-1),
		},
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: &gate{udp, relays, asked}, RelayAddressGenerator: relays, PermissionHandler: relays.grants,
		}},
		ListenerConfigs: []turn.ListenerConfig{{
			Listener: s.tcp, RelayAddressGenerator: relays, PermissionHandler: relays.grants,
		}},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("-turn: %w", err), tcp.Close(), udp.Close())
	}
	return s, nil
}

// listenTURN listens on that address or, where it is not this machine's own,
// on all there are, and says which it was.
func listenTURN(ctx context.Context, at netip.AddrPort) (netip.Addr, net.Listener, error) {
	inner := at.Addr()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", at.String())
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		inner = netip.IPv4Unspecified()
		if at.Addr().Is6() {
			inner = netip.IPv6Unspecified()
		}
		l, err = new(net.ListenConfig).Listen(ctx, "tcp", netip.AddrPortFrom(inner, at.Port()).String())
	}
	return inner, l, err
}

// servers are a member's address and credentials for the server; see [hub.Config].
func (s *turnServer) servers(_ context.Context, m signal.Member) []signal.ICEServer {
	user, password, err := turn.GenerateLongTermTURNRESTCredentials(s.secret, m.ID, turnLifetime)
	if err != nil {
		panic(err) // a hash has no way to fail
	}
	return []signal.ICEServer{
		{URLs: []string{"stun:" + s.at.String()}},
		{
			URLs:     []string{"turn:" + s.at.String() + "?transport=udp", "turn:" + s.at.String() + "?transport=tcp"},
			Username: user, Credential: password,
		},
	}
}

// admit is authenticate at a pace: a client that asks faster over TCP waits, and its further data
// waits in the socket.
func (s *turnServer) admit(r *turn.RequestAttributes) (user string, key []byte, ok bool) {
	if _, overTCP := r.SrcAddr.(*net.TCPAddr); overTCP {
		time.Sleep(s.relays.pause(r.SrcAddr, time.Now()))
	}
	return s.authenticate(r)
}

// authenticate returns the key that a request must be signed with. Expired
// credentials make nothing new, but keep what there is.
func (s *turnServer) authenticate(r *turn.RequestAttributes) (user string, key []byte, ok bool) {
	expiry, user, _ := strings.Cut(r.Username, ":")
	seconds, err := strconv.ParseInt(expiry, 10, 64)
	if err != nil || user == "" {
		return "", nil, false
	}
	end := time.Unix(seconds, 0)
	if r.Method != stun.MethodAllocate {
		end = end.Add(longestCall)
	}
	if time.Now().After(end) {
		return "", nil, false
	}
	mac := hmac.New(sha1.New, []byte(s.secret))
	_, _ = mac.Write([]byte(r.Username)) // a hash takes all
	password := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return user, turn.GenerateAuthKey(r.Username, r.Realm, password), true
}

// close ends everything that is relayed.
func (s *turnServer) close() error {
	err := s.server.Close()
	s.tcp.cut()
	return err
}
