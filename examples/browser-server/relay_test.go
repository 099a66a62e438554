package main

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/signal"
	"noom/transport/ws"
)

// relayIP is a loopback address on which only relays answer, so that a pair
// whose candidates all have it is a relayed one.
const relayIP = "127.0.0.2"

// Two members that only relays connect hear each other, over either way to the server, with only
// what the program itself hands them.
func TestRelayedCall(t *testing.T) {
	hub := "ws" + strings.TrimPrefix(serveHere(t, "-turn", relayIP+":0"), "http") + "/ws"
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var rooms []noom.Room
			for _, name := range []string{"지우", "bob"} {
				d := signal.DialerFunc(func(ctx context.Context) (noom.Signaler, error) {
					s, err := ws.Dialer{URL: hub}.Dial(ctx)
					return oneTransport{s, transport}, err
				})
				r, err := noom.Join(ctx, d, "데모 "+transport, &noom.Config{Name: name, Settings: onlyRelays})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = r.Leave(context.Background()) }() // the test is over
				rooms = append(rooms, r)
			}
			peers := []noom.Peer{connected(ctx, t, rooms[0]), connected(ctx, t, rooms[1])}
			for i, r := range rooms {
				p := peers[i]
				if err := p.Send(ctx, []byte("안녕 "+r.Self().Name)); err != nil {
					t.Fatal(err)
				}
				got := next[noom.DataReceived](ctx, t, rooms[1-i])
				if string(got.Data) != "안녕 "+r.Self().Name {
					t.Errorf("received %q", got.Data)
				}
				pair, err := p.Connection().SCTP().Transport().ICETransport().GetSelectedCandidatePair()
				if err != nil || pair.Local.Typ != webrtc.ICECandidateTypeRelay || pair.Remote.Typ != webrtc.ICECandidateTypeRelay {
					t.Errorf("connected over %v (%v), want relays", pair, err)
				}
			}
		})
	}
}

// oneTransport is a way to a hub on which TURN servers have one transport.
type oneTransport struct {
	noom.Signaler
	transport string
}

// Endpoint is what the member's proofs are bound to.
func (s oneTransport) Endpoint() string { return signal.Endpoint(s.Signaler) }

func (s oneTransport) Receive(ctx context.Context) (signal.Message, error) {
	m, err := s.Signaler.Receive(ctx)
	for i, server := range m.ICEServers {
		m.ICEServers[i].URLs = slices.DeleteFunc(slices.Clone(server.URLs), func(url string) bool {
			return strings.HasPrefix(url, "turn:") && !strings.HasSuffix(url, "="+s.transport)
		})
	}
	return m, err
}

func onlyRelays(s *webrtc.SettingEngine) {
	s.SetRemoteIPFilter(func(ip net.IP) bool { return ip.String() == relayIP })
}

// next takes r's events until there is one of that type.
func next[E noom.Event](ctx context.Context, t *testing.T, r noom.Room) E {
	t.Helper()
	for {
		e, err := r.Next(ctx)
		if err != nil {
			var want E
			t.Fatalf("%s waits for %T: %v", r.Self().Name, want, err)
		}
		if e, ok := e.(E); ok {
			return e
		}
	}
}

func connected(ctx context.Context, t *testing.T, r noom.Room) noom.Peer {
	t.Helper()
	for {
		if e := next[noom.PeerStateChanged](ctx, t, r); e.State == noom.PeerConnected {
			return e.Peer
		}
	}
}
