package conversation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/signal"
)

// patience bounds the wait for one thing: the longest that the protocol lets a client take,
// 15 s for a connection that does not come up, and much more for a busy machine.
const patience = 60 * time.Second

// Client is the application that uses the client under test. The README of the
// conversations lists what it may be asked to do and what it may see.
type Client interface {
	// Do starts something and does not wait for its result.
	Do(what string) error
	// Saw waits until the client has reported what to the application. Each report counts
	// once. It returns an error if ctx ends first.
	Saw(ctx context.Context, what string) error
}

// Player plays the hub and the other member in one conversation. Like a hub, it serves
// connections.
type Player struct {
	conversation *Conversation
	settings     func(*webrtc.SettingEngine)

	arrived chan arrival
	lines   chan *line
	opens   chan struct{} // holds a token when a channel has opened
	over    chan struct{} // closed with Play

	// Owned by Play.
	expects []*Step        // what the client must send, in order
	matched int            // how many of those it has sent
	last    map[string]any // the last frame from the client
	answers int            // pair frames from the client since the other member's last frame
	taken   float64        // the last number that the client's application has taken
	line    *line          // to the client; nil: none
	names   names
	room    string
	bob     signal.Member // as it joined
	self    *member       // the other member
	past    []string      // its earlier sessions
	card    *signal.Card  // the other member's; nil: it has made none
	link    *link         // nil before the first pair frame
	links   []*link
}

// arrival is a frame from the client.
type arrival struct {
	line    *line // nil: in-band
	message signal.Message
	frame   map[string]any
	body    map[string]any
	err     error
}

// line is a connection of the client.
type line struct {
	signaler signal.Signaler
	closed   context.CancelFunc
	joined   bool // a join has come; owned by Play
}

// New returns a player of c. settings, which may be nil, may put its connections on another
// network.
func New(c *Conversation, settings func(*webrtc.SettingEngine)) *Player {
	p := &Player{
		conversation: c, settings: settings,
		arrived: make(chan arrival, 256), lines: make(chan *line), opens: make(chan struct{}, 1), over: make(chan struct{}),
		self: newMember(),
	}
	for i := range c.Steps {
		if s := &c.Steps[i]; s.Kind == Expect && !isAmbient(s.Frame["type"]) {
			p.expects = append(p.expects, s)
		}
	}
	p.names = names{
		"<지우>": p.self.id, "<지우.key>": p.self.keyText(), "<지우.session>": p.self.session,
		"<지우.session2>": signal.NewSession(), "<third>": newMember().id, "<third.session>": signal.NewSession(),
	}
	return p
}

// isAmbient reports whether the client may send frames of that type at any time.
func isAmbient(t any) bool {
	switch t {
	case string(signal.TypeAck), string(signal.TypeCandidates), string(signal.TypeLeft),
		string(signal.TypePing), string(signal.TypePong), string(signal.TypeServers):
		return true
	}
	return false
}

// Serve serves a connection of the client until it ends.
func (p *Player) Serve(ctx context.Context, s signal.Signaler) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &line{signaler: s, closed: cancel}
	select {
	case p.lines <- l:
	case <-p.over:
		return nil
	}
	for {
		m, err := s.Receive(ctx)
		a := arrival{line: l, message: m, err: err}
		if refusal := (*signal.Error)(nil); err != nil && !errors.As(err, &refusal) {
			return nil // the client is gone
		}
		if err == nil {
			a.read()
		}
		select {
		case p.arrived <- a:
		case <-p.over:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// read decodes the message into plain JSON, and copies its bytes, which are valid only for a
// short time.
func (a *arrival) read() {
	m := &a.message
	m.Body = bytes.Clone(m.Body)
	encoded, err := m.Encode()
	if err != nil {
		a.err = err
		return
	}
	envelope, body, found := bytes.Cut(encoded, []byte{'\n'})
	a.err = json.Unmarshal(envelope, &a.frame)
	if found && a.err == nil && len(body) > 0 {
		a.err = json.Unmarshal(body, &a.body)
	}
}

// Play plays the conversation. It returns an error where the client deviates from it.
func (p *Player) Play(ctx context.Context, c Client) error {
	defer p.end()
	at := 0 // of the frames that the client must say
	for i := range p.conversation.Steps {
		s := &p.conversation.Steps[i]
		if s.Kind == Expect && !isAmbient(s.Frame["type"]) {
			at++
		}
		if err := p.step(ctx, c, s, at); err != nil {
			return fmt.Errorf("%s:%d: %w", p.conversation.Name, s.Line, err)
		}
	}
	if p.link == nil {
		return nil
	}
	return p.until(ctx, "everything to be acknowledged", func() bool { return p.link.acked >= p.link.sent() })
}

func (p *Player) end() {
	close(p.over)
	if p.line != nil {
		p.line.closed()
	}
	for _, l := range p.links {
		l.close()
	}
}

func (p *Player) step(ctx context.Context, c Client, s *Step, at int) error {
	switch s.Kind {
	case Does:
		return c.Do(s.Text)
	case Sees:
		return p.sees(ctx, c, s.Text)
	case Cuts:
		p.line.closed()
		p.line = nil
		return nil
	case Expect:
		if s.Frame["type"] == string(signal.TypeAck) {
			ack, _ := s.Frame["ack"].(float64)
			return p.until(ctx, jsonText(s.Frame), func() bool { return p.answers > 0 && p.link.acked >= int64(ack) })
		}
		return p.until(ctx, jsonText(s.Frame), func() bool { return p.matched >= at })
	case Says:
		if s.Frame["type"] == "data" {
			return p.give(ctx, s)
		}
		return p.say(ctx, s)
	}
	return nil
}

// sees waits until the application sees what, and takes frames in the meantime.
func (p *Player) sees(ctx context.Context, c Client, what string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error // once seen
	seen := make(chan struct{})
	go func() {
		defer close(seen)
		err = c.Saw(ctx, what)
	}()
	for {
		select {
		case <-p.opens: // nothing waits for a channel here
		case <-seen:
			return err
		case l := <-p.lines:
			p.line = l
		case a := <-p.arrived:
			if err := p.take(ctx, a); err != nil {
				cancel()
				<-seen
				return err
			}
		}
	}
}

// until takes frames until is returns true.
func (p *Player) until(ctx context.Context, what string, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !is() {
		select {
		case <-p.opens:
		case l := <-p.lines:
			p.line = l
		case a := <-p.arrived:
			if err := p.take(ctx, a); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("the client never sent %s; the last it sent was %s", what, jsonText(p.last))
		}
	}
	return nil
}
