// Package iceservers owns the STUN and TURN servers of a room: their URLs, when they
// arrived, and how long their credentials last. A [Set] never changes; a newer one replaces
// it. A [Supply] asks the hub for the newer one in time.
package iceservers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// Set is a list of ICE servers and how long it lasts. The zero value has no servers and
// lasts for ever.
type Set struct {
	List     []webrtc.ICEServer
	Lifetime time.Duration // from its arrival; 0: for ever

	arrived time.Time // by the wall clock, because that goes on while a laptop sleeps
}

// New returns a set that has just arrived.
func New(list []webrtc.ICEServer, lifetime time.Duration) *Set {
	return &Set{List: list, Lifetime: lifetime, arrived: time.Now()}
}

// Due returns how long it is until a newer set is needed. It is meaningless for a set
// that lasts for ever.
func (s *Set) Due() time.Duration { return s.Lifetime*4/5 - s.age() }

// Expired reports whether the servers may refuse the credentials.
func (s *Set) Expired() bool { return s.Lifetime > 0 && s.age() >= s.Lifetime*9/10 }

// age returns the age of the set by the wall clock.
func (s *Set) age() time.Duration { return time.Now().Round(0).Sub(s.arrived.Round(0)) }

// HasTURN reports whether one of the servers is a relay.
func (s *Set) HasTURN() bool {
	return s.any(func(url string) bool { // RFC 7065
		return strings.HasPrefix(url, "turn:") || strings.HasPrefix(url, "turns:")
	})
}

// OnLoopback reports whether one of the servers, and so its relays, are on this machine.
func (s *Set) OnLoopback() bool {
	return s.any(func(url string) bool {
		_, host, _ := strings.Cut(url, ":")
		return strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "[::1]")
	})
}

func (s *Set) any(is func(url string) bool) bool {
	return slices.ContainsFunc(s.List, func(server webrtc.ICEServer) bool {
		return slices.ContainsFunc(server.URLs, is)
	})
}

// Usable returns server with only its usable URLs, or nil if it has none, and the errors
// of the other URLs. With one of those, pion would refuse to make any connection.
func Usable(server webrtc.ICEServer) (usable []webrtc.ICEServer, skipped []error) {
	all := server.URLs
	server.URLs = nil
	for _, url := range all {
		one := server
		one.URLs = []string{url}
		if err := Check(one); err != nil {
			skipped = append(skipped, err)
			continue
		}
		server.URLs = append(server.URLs, url)
	}
	if server.URLs == nil {
		return nil, skipped
	}
	return []webrtc.ICEServer{server}, skipped
}

// errCredentials does not say what is in the URL.
var errCredentials = errors.New("its URL has an @; a user and a password go into Username and Credential")

// Redacted returns the URL of a server as errors and logs may name it: without what stands before an @, where people put a
// password (RFC 7065 has no place for one).
func Redacted(url string) string {
	at := strings.LastIndexByte(url, '@')
	if at < 0 {
		return url
	}
	scheme, _, _ := strings.Cut(url, ":")
	if !slices.Contains([]string{"stun", "stuns", "turn", "turns"}, scheme) {
		scheme = "?"
	}
	return scheme + ":…@" + url[at+1:]
}

// Check returns what is wrong with the URLs or the credentials of a server.
func Check(server webrtc.ICEServer) error {
	shown := make([]string, len(server.URLs))
	for i, url := range server.URLs {
		if shown[i] = Redacted(url); shown[i] != url {
			return fmt.Errorf("ICE server %q: %w", shown[i], errCredentials)
		}
	}
	bare := webrtc.NewAPI(webrtc.WithMediaEngine(&webrtc.MediaEngine{}), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	// A gatherer that is never started holds nothing.
	if _, err := bare.NewICEGatherer(webrtc.ICEGatherOptions{ICEServers: []webrtc.ICEServer{server}}); err != nil {
		return fmt.Errorf("ICE server %q: %w", shown, err)
	}
	return nil
}
