package conversation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/signal"
)

// patience bounds the wait for one thing. It is the longest that the protocol lets a client
// take, 15 s for a connection that does not come up, and much more for a busy machine.
const patience = 60 * time.Second

// Client is the application around the client that is tested. What it is asked to do and
// what it may see is listed in the README of the conversations.
type Client interface {
	// Do begins something and returns without waiting for what comes of it.
	Do(what string) error
	// Saw returns once the application was told of that, each time of another one; an error when ctx ends first.
	Saw(ctx context.Context, what string) error
}

// Player is the hub and the other member of one conversation. It is a server of connections, as a hub is.
type Player struct {
	conversation *Conversation
	settings     func(*webrtc.SettingEngine)

	arrived chan arrival
	lines   chan *line
	opens   chan struct{} // holds a token when a channel has opened
	over    chan struct{} // closed with Play

	// Everything following is owned by Play.
	expects []*Step // what the client must say, in order
	matched int     // so many of them it has said
	last    map[string]any
	answers int     // pair frames since the other member said something
	taken   float64 // the last number that its application has taken
	line    *line   // to the client; nil: none
	names   names
	room    string
	bob     signal.Member // as it joined
	self    *member
	past    []string // sessions that it ran before
	link    *link    // nil before the first pair frame
	links   []*link
}

// arrival is what the client sent.
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
}

// New returns the player of c. settings, which may be nil, puts its connections on another network.
func New(c *Conversation, settings func(*webrtc.SettingEngine)) *Player {
	p := &Player{
		conversation: c, settings: settings,
		arrived: make(chan arrival, 256), lines: make(chan *line), opens: make(chan struct{}, 1), over: make(chan struct{}),
		self: newMember(),
	}
	for i := range c.Steps {
		if s := &c.Steps[i]; s.Kind == Expect && !ambient(s.Frame["type"]) {
			p.expects = append(p.expects, s)
		}
	}
	p.names = names{
		"<지우>": p.self.id, "<지우.key>": p.self.keyText(), "<지우.session>": p.self.session,
		"<지우.session2>": signal.NewSession(), "<third>": newMember().id, "<third.session>": signal.NewSession(),
	}
	return p
}

// ambient reports whether frames of that type come whenever the client likes.
func ambient(t any) bool {
	switch t {
	case string(signal.TypeAck), string(signal.TypeCandidates), string(signal.TypeLeft), string(signal.TypePing), string(signal.TypePong), string(signal.TypeServers):
		return true
	}
	return false
}

// Serve takes a connection of the client, as a hub does, until it ends.
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
			return nil // it has gone
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

// read makes plain JSON of the message, whose bytes are not ours for long.
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

// Play plays the conversation and says where the client left it.
func (p *Player) Play(ctx context.Context, c Client) error {
	defer p.end()
	at := 0 // of the frames that the client must say
	for i := range p.conversation.Steps {
		s := &p.conversation.Steps[i]
		if s.Kind == Expect && !ambient(s.Frame["type"]) {
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
			return p.until(ctx, text(s.Frame), func() bool { return p.answers > 0 && p.link.acked >= int64(ack) })
		}
		return p.until(ctx, text(s.Frame), func() bool { return p.matched >= at })
	case Says:
		if s.Frame["type"] == "data" {
			return p.give(ctx, s)
		}
		return p.say(ctx, s)
	}
	return nil
}

// sees waits for what the application is told, and takes what comes meanwhile.
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
		case <-p.opens: // channel will look
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

// until takes what comes until is is true.
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
			return fmt.Errorf("the client never sent %s; the last it sent was %s", what, text(p.last))
		}
	}
	return nil
}

// take takes a frame, and what came before it and belongs behind it.
func (p *Player) take(ctx context.Context, a arrival) error {
	for {
		if err := p.takeOne(ctx, a); err != nil || p.link == nil {
			return err
		}
		next := int64(len(p.link.known)) + 1
		var ok bool
		if a, ok = p.link.ahead[next]; !ok {
			return nil
		}
		delete(p.link.ahead, next)
	}
}

// takeOne holds a frame against the rules, and against what is written next.
func (p *Player) takeOne(ctx context.Context, a arrival) error {
	if a.err != nil {
		return fmt.Errorf("the client sent what is no frame: %w", a.err)
	}
	m := &a.message
	p.last = a.frame
	var next *Step
	if p.matched < len(p.expects) {
		next = p.expects[p.matched]
	}
	if m.Type.Pair() {
		done, err := p.hear(ctx, &a, next)
		if done || err != nil {
			return err
		}
	}
	switch m.Type {
	case signal.TypePing:
		return p.line.signaler.Send(ctx, signal.Message{Type: signal.TypePong})
	case signal.TypePong, signal.TypeServers:
		return nil
	default:
	}
	if a.frame["type"] == "data" && a.frame["kind"] == 2.0 { // may be said again
		number, _ := a.frame["number"].(float64)
		if number == p.taken {
			return nil
		}
		p.taken = number
	}
	if next == nil {
		return fmt.Errorf("the client sent %s %s, and nothing was due", text(a.frame), text(a.body))
	}
	if err := p.compare(next, &a); err != nil {
		return fmt.Errorf("line %d: the client sent %s %s: %w", next.Line, text(a.frame), text(a.body), err)
	}
	p.matched++
	p.learn(m)
	return nil
}

// compare holds a frame against what is written.
func (p *Player) compare(s *Step, a *arrival) error {
	switch {
	case s.Pair != (a.message.Type.Pair() || a.frame["type"] == "data"):
		return errors.New("it is for somebody else")
	case s.Band && a.line != nil:
		return errors.New("it came by hub")
	case s.Hub && a.line == nil:
		return errors.New("it came in-band")
	}
	if err := match("frame", p.names.fill(s.Frame), a.frame); err != nil {
		return err
	}
	if s.Body == nil {
		return nil
	}
	written, _ := p.names.fill(s.Body).(map[string]any)
	if table, ok := written["table"].(map[string]any); ok && table["version"] == "<new>" {
		if err := p.link.newer(a.body); err != nil {
			return err
		}
		table["version"] = "<any>"
	}
	return match("body", written, a.body)
}

// learn keeps of a frame what later ones are about.
func (p *Player) learn(m *signal.Message) {
	switch m.Type {
	case signal.TypeJoin:
		p.room = m.Room
		p.bob = signal.Member{ID: signal.MemberID(m.Key), Name: m.Name, PublicKey: m.Key, Session: m.Session}
		key, _ := m.Key.MarshalText() // base64 never fails
		maps.Copy(p.names, names{"<bob>": p.bob.ID, "<bob.key>": string(key), "<bob.session>": m.Session})
	case signal.TypeChat:
		p.names["<chat>"] = m.ID
	default:
	}
}

// say sends what the hub or the other member says.
func (p *Player) say(ctx context.Context, s *Step) error {
	frame, _ := p.names.fill(s.Frame).(map[string]any)
	var body map[string]any
	if s.Body != nil {
		body, _ = p.names.fill(s.Body).(map[string]any)
	}
	if s.Pair {
		return p.tell(ctx, s, frame, body)
	}
	p.complete(frame)
	m, err := message(frame, nil)
	if err != nil {
		return err
	}
	if m.Type == signal.TypeWelcome && m.Member.ID == p.self.id {
		p.reborn(m.Member.Session)
	}
	return p.line.signaler.Send(ctx, m)
}

// complete adds what a joined needs and a reader need not see.
func (p *Player) complete(frame map[string]any) {
	if frame["type"] != string(signal.TypeJoined) {
		return
	}
	for key, value := range map[string]any{
		"self":      map[string]any{"id": p.bob.ID, "name": p.bob.Name, "key": p.names["<bob.key>"], "session": p.bob.Session},
		"heartbeat": 10_000,
		"limits":    map[string]any{"frame": signal.MaxFrame, "name": 128, "chat": 4096, "members": 64, "rate": 50, "burst": 1074},
	} {
		if _, there := frame[key]; !there {
			frame[key] = value
		}
	}
}

// message makes a frame of plain JSON.
func message(frame, body map[string]any) (signal.Message, error) {
	text, err := json.Marshal(frame)
	if err != nil {
		return signal.Message{}, err
	}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return signal.Message{}, err
		}
		text = append(append(text, '\n'), b...)
	}
	return signal.Decode(text)
}
