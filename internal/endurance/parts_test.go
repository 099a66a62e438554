package endurance

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

// This file is what runs in the processes that tests start. They tell what
// happens as lines of JSON.

// news is one line.
type news struct {
	At    time.Time
	Event string
	Text  string           `json:",omitempty"` // whom or what it is about
	Pairs map[string]tally `json:",omitempty"` // in a report, by the other's name
}

// tally counts one peer's numbers.
type tally struct {
	Sent, Received uint64
	Pause          time.Duration // the longest between two that came, since the last report
	Path           string        // the selected pair's types, such as "relay to host"
}

// teller writes news. It guards itself.
type teller struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newTeller() *teller { return &teller{out: json.NewEncoder(os.Stdout)} }

func (t *teller) tell(n news) {
	n.At = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.out.Encode(n) // the test that reads it is gone, and so will we be
}

// playHub serves a hub until it is killed.
func playHub(ctx context.Context, p part) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.Listen)
	if err != nil {
		return err
	}
	newTeller().tell(news{Event: "listening", Text: l.Addr().String()})
	server := &http.Server{Handler: ws.Handler(hub.New(nil), nil), ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(l)
}

// member is a process in a room: it sends everyone 1, 2, 3, … and tells when
// what it hears is anything else.
type member struct {
	room   noom.Room
	teller *teller
	still  atomic.Bool // sends nothing new

	mu    sync.Mutex
	pairs map[string]*stream // by peer id
}

// stream is what goes between two. Its numbers go on when a peer that was lost
// comes back.
type stream struct {
	peer  noom.Peer
	gone  bool
	tally tally
	heard time.Time
}

const sendEvery = 20 * time.Millisecond

// playMember joins and stays until its standard input ends. Each line of that
// is an order: report, still or leave.
func playMember(ctx context.Context, p part) error {
	m := &member{teller: newTeller(), pairs: make(map[string]*stream)}
	config := &noom.Config{Name: p.Name, Settings: func(s *webrtc.SettingEngine) {
		s.SetIncludeLoopbackCandidate(p.Loopback)
		if p.Loopback {
			s.SetIPFilter(net.IP.IsLoopback)
			s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		}
	}}
	dialer := signal.DialerFunc(func(ctx context.Context) (noom.Signaler, error) {
		s, err := ws.Dialer{URL: p.URL}.Dial(ctx)
		return oneTransport{s, p.TURN}, err
	})
	room, err := noom.Join(ctx, dialer, p.Room, config)
	if err != nil {
		return err
	}
	m.room = room
	m.teller.tell(news{Event: "joined", Text: room.Self().ID})
	go m.obey(ctx)
	for e := range room.Events(ctx) {
		m.handle(ctx, e)
	}
	return room.Err()
}

// oneTransport is a way to a hub on which TURN servers have one transport, or
// all there are if it has no name.
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
			return strings.HasPrefix(url, "turn:") && !strings.HasSuffix(url, s.transport)
		})
	}
	return m, err
}

func (m *member) obey(ctx context.Context) {
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		switch orders.Text() {
		case "report":
			m.teller.tell(news{Event: "report", Pairs: m.report()})
		case "still":
			m.still.Store(true)
		case "leave":
			_ = m.room.Leave(ctx)
		}
	}
	_ = m.room.Leave(ctx) // whoever started us is gone
}

func (m *member) handle(ctx context.Context, e noom.Event) {
	switch e := e.(type) {
	case noom.PeerJoined:
		m.mu.Lock()
		s := m.pairs[e.Peer.ID()]
		if s == nil {
			s = new(stream)
			m.pairs[e.Peer.ID()] = s
		}
		s.peer, s.gone = e.Peer, false
		next := s.tally.Sent + 1
		m.mu.Unlock()
		m.teller.tell(news{Event: "peer joined", Text: e.Peer.Name()})
		go m.send(ctx, e.Peer, next)
	case noom.PeerLeft:
		m.mu.Lock()
		if m.pairs[e.Member.ID].gone = true; e.Reason != noom.ReasonLost {
			delete(m.pairs, e.Member.ID)
		}
		m.mu.Unlock()
		m.teller.tell(news{Event: "peer left", Text: e.Member.Name + ": " + string(e.Reason)})
	case noom.PeerStateChanged:
		m.teller.tell(news{Event: e.State.String(), Text: e.Peer.Name()})
	case noom.SignalingLost:
		m.teller.tell(news{Event: "signaling lost", Text: e.Err.Error()})
	case noom.SignalingRestored:
		m.teller.tell(news{Event: "signaling restored"})
	case noom.DataReceived:
		m.received(e)
	case noom.Closed:
		m.teller.tell(news{Event: "closed", Text: fmt.Sprint(e.Err)})
	}
}

// send counts on from n for one peer until it is gone.
func (m *member) send(ctx context.Context, p noom.Peer, n uint64) {
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	for {
		if !m.still.Load() {
			if err := p.Send(ctx, binary.BigEndian.AppendUint64(nil, n)); err != nil {
				if !errors.Is(err, context.Canceled) && !errors.Is(err, noom.ErrClosed) {
					m.teller.tell(news{Event: "broken", Text: fmt.Sprintf("send %d to %s: %v", n, p.Name(), err)})
				}
				return
			}
			m.mu.Lock()
			if s := m.pairs[p.ID()]; s != nil {
				s.tally.Sent = n
			}
			m.mu.Unlock()
			n++
		}
		select {
		case <-tick.C:
		case <-m.room.Done():
			return
		}
	}
}

func (m *member) received(e noom.DataReceived) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.pairs[e.Peer.ID()]
	if s == nil || len(e.Data) != 8 {
		m.teller.tell(news{Event: "broken", Text: fmt.Sprintf("%d bytes of %s", len(e.Data), e.Peer.Name())})
		return
	}
	if n := binary.BigEndian.Uint64(e.Data); n != s.tally.Received+1 {
		m.teller.tell(news{Event: "broken", Text: fmt.Sprintf("%s: %d came after %d", e.Peer.Name(), n, s.tally.Received)})
	}
	now := time.Now()
	if s.tally.Received++; s.tally.Received > 1 {
		s.tally.Pause = max(s.tally.Pause, now.Sub(s.heard))
	}
	s.heard = now
}

// report returns the tallies and begins to look for pauses anew.
func (m *member) report() map[string]tally {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]tally, len(m.pairs))
	for _, s := range m.pairs {
		if s.gone {
			continue
		}
		t := s.tally
		s.tally.Pause = 0
		t.Path = path(s.peer)
		all[s.peer.Name()] = t
	}
	return all
}

func path(p noom.Peer) string {
	c := p.Connection()
	if c == nil {
		return "none"
	}
	pair, err := c.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return "none"
	}
	return pair.Local.Typ.String() + " to " + pair.Remote.Typ.String()
}
