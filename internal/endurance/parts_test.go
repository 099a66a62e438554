package endurance

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/media"
	"noom/signal"
	"noom/transport/ws"
)

// This file runs in the processes that tests start. They report what happens as lines of
// JSON.

// news is one line.
type news struct {
	At    time.Time
	Event string
	Text  string           `json:",omitempty"` // the member's name, or details
	Pairs map[string]tally `json:",omitempty"` // in a report, by the other member's name
	Chat  *chatNews        `json:",omitempty"` // in a report of a member that chats
	Hub   *hubNews         `json:",omitempty"` // in a report of a hub
}

// tally counts the messages to and from one peer.
type tally struct {
	Sent, Received uint64
	Pause          time.Duration // the longest between two received messages, since the last report
	Path           string        // the types of the selected pair, such as "relay to host"
	Frames         int           // of its film that could be shown
	Still          time.Duration // the longest between two of these, since the last report
	Sound          int           // packets of its sound
	Bandwidth      noom.Bandwidth
	Quality        string
}

// reporter writes news. Its methods may be called from anywhere.
type reporter struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newReporter() *reporter { return &reporter{out: json.NewEncoder(os.Stdout)} }

func (r *reporter) report(n news) {
	n.At = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.out.Encode(n) // fails if the test is gone, and then this process ends too
}

// member is a process in a room. It sends 1, 2, 3, … to everyone, and reports if it
// receives anything else.
type member struct {
	room     noom.Room
	reporter *reporter
	films    bool        // it sends no messages and watches films
	still    atomic.Bool // it sends nothing new
	talk     *talk       // nil: it does not chat

	mu    sync.Mutex
	pairs map[string]*stream // by peer id
}

// stream is what goes between two members. Its numbers continue when a lost peer comes
// back.
type stream struct {
	peer     noom.Peer
	gone     bool
	tally    tally
	received time.Time // the last message
	shown    time.Time // the last frame
}

const sendEvery = 20 * time.Millisecond

// playMember joins and stays until standard input ends. Each line of standard input is an
// order: report, still or leave.
func playMember(ctx context.Context, p part) error {
	if p.Roots != "" { // pion checks a TURN server's certificate against the system's roots, which Go looks for there
		if err := os.Setenv("SSL_CERT_FILE", p.Roots); err != nil {
			return err
		}
	}
	m := &member{reporter: newReporter(), pairs: make(map[string]*stream)}
	config := &noom.Config{Name: p.Name, Settings: func(s *webrtc.SettingEngine) {
		s.SetIncludeLoopbackCandidate(p.Loopback)
		if p.Loopback {
			s.SetIPFilter(net.IP.IsLoopback)
			s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		}
	}}
	if p.Publish {
		pattern, tone := media.TestPattern(nil), media.Tone()
		defer func() { _, _ = pattern.Close(), tone.Close() }() // nothing to lose
		config.Tracks = []noom.LocalTrack{{Track: pattern}, {Track: tone}}
	}
	if m.films = p.Film > 0 || p.Speak; m.films {
		tone := media.Tone()
		defer func() { _ = tone.Close() }() // nothing to lose
		config.Tracks = []noom.LocalTrack{{Track: tone}}
	}
	if p.Film > 0 {
		camera, err := newFilm()
		if err != nil {
			return err
		}
		go camera.play(30)
		encodings := []noom.Encoding{{Track: camera, MaxBitrate: p.Film, MinBitrate: 30_000}}
		if p.Small > 0 {
			small, err := newFilm()
			if err != nil {
				return err
			}
			go small.play(15)
			encodings[0].Height, encodings[0].MinBitrate = 720, p.Film/3
			encodings = append(encodings, noom.Encoding{Track: small, Height: 180, MaxBitrate: p.Small, MinBitrate: 30_000})
		}
		config.Tracks = append(config.Tracks, noom.LocalTrack{Track: camera, Encodings: encodings})
	}
	if p.SayEvery > 0 {
		m.talk = newTalk(m.reporter)
	}
	room, err := noom.Join(ctx, p.dialer(), p.Room, config)
	if err != nil {
		return err
	}
	m.room = room
	m.reporter.report(news{Event: "joined", Text: room.Self().ID})
	go m.obey(ctx)
	if m.talk != nil {
		go m.talk.say(ctx, room, p.SayEvery)
	}
	for e := range room.Events(ctx) {
		m.handle(ctx, e)
	}
	return room.Err()
}

// dialer dials the hub, or the hubs.
func (p *part) dialer() noom.Dialer {
	if len(p.URLs) > 0 {
		return hubsInOrder(p.URLs)
	}
	return signal.DialerFunc(func(ctx context.Context) (noom.Signaler, error) {
		s, err := ws.Dialer{URL: p.URL}.Dial(ctx)
		return oneTransport{s, p.TURN}, err
	})
}

// oneTransport removes the URLs of TURN servers with another transport from what the hub
// sends. With an empty transport it removes none.
type oneTransport struct {
	noom.Signaler
	transport string
}

// Endpoint returns the endpoint to which the member's proofs are bound.
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
			m.reporter.report(news{Event: "report", Pairs: m.report(), Chat: m.talk.report()})
		case "still":
			m.still.Store(true)
			m.talk.still()
		case "leave":
			_ = m.room.Leave(ctx)
		}
	}
	_ = m.room.Leave(ctx) // the test that started us is gone
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
		m.reporter.report(news{Event: "peer joined", Text: e.Peer.Name()})
		if !m.films {
			go m.send(ctx, e.Peer, next)
		}
	case noom.PeerLeft:
		m.mu.Lock()
		if m.pairs[e.Member.ID].gone = true; e.Reason != noom.ReasonLost {
			delete(m.pairs, e.Member.ID)
		}
		m.mu.Unlock()
		m.reporter.report(news{Event: "peer left", Text: e.Member.Name + ": " + string(e.Reason)})
	case noom.TrackAdded:
		switch {
		case !m.films:
		case e.Track.Kind() == webrtc.RTPCodecTypeVideo:
			go watch(e.Track, func() { m.saw(e.Peer.ID()) })
		default:
			go func() {
				for range e.Track.Packets() {
					m.heard(e.Peer.ID())
				}
			}()
		}
	case noom.TrackPaused:
		m.reporter.report(news{Event: map[bool]string{true: "paused", false: "resumed"}[e.Paused], Text: e.Peer.Name()})
	case noom.PeerStateChanged:
		m.reporter.report(news{Event: e.State.String(), Text: e.Peer.Name()})
	case noom.ChatReceived:
		m.talk.heard(e)
	case noom.SignalingLost:
		m.talk.lost()
		m.reporter.report(news{Event: "signaling lost", Text: e.Err.Error()})
	case noom.SignalingRestored:
		m.talk.restored()
		m.reporter.report(news{Event: "signaling restored"})
	case noom.DataReceived:
		m.received(e)
	case noom.Closed:
		m.reporter.report(news{Event: "closed", Text: fmt.Sprint(e.Err)})
	}
}

// send sends n and the following numbers to one peer until it is gone.
func (m *member) send(ctx context.Context, p noom.Peer, n uint64) {
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	for {
		if !m.still.Load() {
			if err := p.Send(ctx, binary.BigEndian.AppendUint64(nil, n)); err != nil {
				if !errors.Is(err, context.Canceled) && !errors.Is(err, noom.ErrClosed) {
					m.reporter.report(news{Event: "broken", Text: fmt.Sprintf("send %d to %s: %v", n, p.Name(), err)})
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
		m.reporter.report(news{Event: "broken", Text: fmt.Sprintf("%d bytes of %s", len(e.Data), e.Peer.Name())})
		return
	}
	if n := binary.BigEndian.Uint64(e.Data); n != s.tally.Received+1 {
		m.reporter.report(news{Event: "broken", Text: fmt.Sprintf("%s: %d came after %d", e.Peer.Name(), n, s.tally.Received)})
	}
	now := time.Now()
	if s.tally.Received++; s.tally.Received > 1 {
		s.tally.Pause = max(s.tally.Pause, now.Sub(s.received))
	}
	s.received = now
}

// saw counts a frame of a peer's film.
func (m *member) saw(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.pairs[id]
	if s == nil {
		return // it has just left
	}
	now := time.Now()
	if s.tally.Frames++; s.tally.Frames > 1 {
		s.tally.Still = max(s.tally.Still, now.Sub(s.shown))
	}
	s.shown = now
}

// heard counts a packet of a peer's sound.
func (m *member) heard(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.pairs[id]; s != nil { // else it has just left
		s.tally.Sound++
	}
}

// report returns the tallies and starts to measure pauses again.
func (m *member) report() map[string]tally {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]tally, len(m.pairs))
	for _, s := range m.pairs {
		if s.gone {
			continue
		}
		t := s.tally
		if t.Frames > 0 {
			t.Still = max(t.Still, time.Since(s.shown)) // it may go on
		}
		s.tally.Pause, s.tally.Still = 0, 0
		t.Path, t.Bandwidth, t.Quality = pathOf(s.peer), s.peer.Bandwidth(), s.peer.Quality().String()
		all[s.peer.Name()] = t
	}
	return all
}

// pathOf returns the types of the selected candidate pair.
func pathOf(p noom.Peer) string {
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
