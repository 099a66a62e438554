package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"noom/signal/hub"
	"noom/turn"
)

// This file is the -turn flag: a TURN server in this process, for members of its hub only.

// turnOptions are where it is; zero: nowhere.
type turnOptions struct {
	at  netip.AddrPort // for UDP and TCP; invalid: not over those
	tls bool           // over TLS, on the port of the page
}

// parseTURN reads what -turn says.
func parseTURN(text string, secure bool) (turnOptions, error) {
	switch text {
	case "":
		return turnOptions{}, nil
	case "tls":
		if !secure {
			return turnOptions{}, errors.New("-turn tls needs https: -domain, -tls-cert or -tls-self-signed")
		}
		return turnOptions{tls: true}, nil
	}
	at, err := netip.ParseAddrPort(text)
	switch {
	case err != nil:
		return turnOptions{}, fmt.Errorf("-turn %s: want IP:PORT, the address under which members reach this machine, such as 203.0.113.7:3478, or tls", text)
	case at.Addr().IsUnspecified() || at.Addr().IsMulticast():
		return turnOptions{}, fmt.Errorf("-turn %s: members cannot reach that; name this machine's own address", text)
	case at.Addr().Zone() != "":
		return turnOptions{}, fmt.Errorf("-turn %s: an address with a zone means something on this machine only", text)
	}
	return turnOptions{netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), secure}, nil
}

// address is where relays are; invalid: nowhere. Without one in the flag it is that of the page,
// addr, or the one with which this machine goes out: members that come over TLS relay to each other
// within this machine.
func (o turnOptions) address(addr string) netip.Addr {
	host, _, _ := net.SplitHostPort(addr) // it was good enough to listen on
	own, err := netip.ParseAddr(host)
	switch {
	case o.at.IsValid():
		return o.at.Addr()
	case !o.tls:
		return netip.Addr{}
	case err == nil && !own.IsUnspecified():
		return own.Unmap().WithZone("")
	}
	return ownAddress()
}

// ownAddress is the address with which this machine goes out, or loopback if there is no way out.
func ownAddress() netip.Addr {
	for _, elsewhere := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // documentation's; nothing is sent
		way, err := net.Dial("udp", elsewhere)
		if err != nil {
			continue
		}
		_ = way.Close() // it carried nothing
		return netip.MustParseAddrPort(way.LocalAddr().String()).Addr().Unmap()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// openTURN starts the server at that address, and puts it before the page if there is TLS.
func (f *front) openTURN(ctx context.Context, at netip.Addr, config *hub.Config, stdout io.Writer) error {
	relays, err := turn.New(at, &turn.Config{Everywhere: f.turnEverywhere})
	if err != nil {
		return fmt.Errorf("-turn: %w", err)
	}
	f.closing = append(f.closing, relays.Close)
	var places []string
	if f.turn.at.IsValid() {
		port, err := relays.Listen(ctx, f.turn.at.Port())
		if err != nil {
			return fmt.Errorf("-turn: cannot listen on %s: %s", f.turn.at, reason(err))
		}
		places = append(places, netip.AddrPortFrom(at, port).String()+", UDP and TCP")
	}
	if f.identity != nil {
		place, err := f.shareTURN(relays, at)
		switch {
		case err == nil:
			places = append(places, place)
		case !f.turn.at.IsValid():
			return fmt.Errorf("-turn tls: %w", err)
		default:
			f.listener = tls.NewListener(f.listener, f.identity.config)
			_, _ = fmt.Fprintf(stdout, "TURN is not served over TLS: %v\n", err)
		}
	}
	config.ICEServers, config.ICELifetime = relays.ICEServers, turn.CredentialLifetime
	_, _ = fmt.Fprintf(stdout, "TURN is at %s\n", strings.Join(places, ", and at "))
	return nil
}

// shareTURN puts the server before the page, and says where members find it.
func (f *front) shareTURN(relays *turn.Server, at netip.Addr) (place string, err error) {
	host, err := f.turnHost(at)
	if err != nil {
		return "", err
	}
	place = net.JoinHostPort(host, f.publicPort(host))
	shared, err := relays.Share(f.listener, f.identity.config, place)
	if err != nil {
		return "", err
	}
	f.listener = shared
	return place + ", TLS", nil
}

// turnHost is by which name members find TURN over TLS: one that the certificate is for, since they
// check that.
func (f *front) turnHost(at netip.Addr) (string, error) {
	if f.tls.acme.wanted() {
		return f.tls.acme.domains[0], nil
	}
	var names []string
	for _, host := range f.hosts {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		names = append(names, strings.Trim(host, "[]"))
	}
	for _, name := range f.identity.leaf.DNSNames {
		if !f.tls.selfSigned && strings.Contains(name, ".") { // others mean something on this machine, or near it, only
			names = append(names, name)
		}
	}
	if host, _, err := net.SplitHostPort(f.addr); err == nil && net.ParseIP(host) != nil && !net.ParseIP(host).IsUnspecified() {
		names = append(names, host)
	}
	names = append(names, at.String())
	for _, ip := range f.identity.leaf.IPAddresses {
		names = append(names, ip.String())
	}
	for _, name := range names {
		if !strings.Contains(name, "*") && f.identity.leaf.VerifyHostname(name) == nil {
			return name, nil
		}
	}
	return "", fmt.Errorf("the certificate is for %s: use -hosts to say which of those names members use", strings.Join(f.identity.leaf.DNSNames, ", "))
}
