package conversation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"noom/signal"
)

// take takes a frame, and then those that had overtaken it.
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

// takeOne checks a frame by the rules, and compares it with what is written next.
func (p *Player) takeOne(ctx context.Context, a arrival) error {
	if a.err != nil {
		return fmt.Errorf("the client sent something that is not a frame: %w", a.err)
	}
	m := &a.message
	p.last = a.frame
	var next *Step
	if p.matched < len(p.expects) {
		next = p.expects[p.matched]
	}
	if m.Pair() {
		done, err := p.checkPair(ctx, &a, next)
		if done || err != nil {
			return err
		}
	}
	switch m.Type {
	case signal.TypePing:
		return p.line.signaler.Send(ctx, signal.Message{Type: signal.TypePong})
	case signal.TypePong, signal.TypeServers:
		return nil
	case signal.TypeJoin:
		if again := a.line.joined; again && p.joinedAs(m) { // as a frame, after one in the request
			return nil
		}
		a.line.joined = true
	default:
	}
	if a.frame["type"] == "data" && a.frame["kind"] == 2.0 { // an acknowledgement of data, which may be repeated
		number, _ := a.frame["number"].(float64)
		if number == p.taken {
			return nil
		}
		p.taken = number
	}
	if next == nil {
		return fmt.Errorf("the client sent %s %s, and nothing was expected", jsonText(a.frame), jsonText(a.body))
	}
	if err := p.compare(next, &a); err != nil {
		return fmt.Errorf("line %d: the client sent %s %s: %w", next.Line, jsonText(a.frame), jsonText(a.body), err)
	}
	p.matched++
	p.learn(m)
	return nil
}

// compare compares a frame with what is written.
func (p *Player) compare(s *Step, a *arrival) error {
	switch {
	case s.Pair != (a.message.Pair() || a.frame["type"] == "data"):
		return errors.New("it goes to the wrong receiver")
	case s.Band && a.line != nil:
		return errors.New("it came by hub")
	case s.Hub && a.line == nil:
		return errors.New("it came in-band")
	}
	if err := matchValue("frame", p.names.fill(s.Frame), a.frame); err != nil {
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
	return matchValue("body", written, a.body)
}

// joinedAs reports whether a join says the same as the last.
func (p *Player) joinedAs(m *signal.Message) bool {
	return m.Room == p.room && m.Name == p.bob.Name && m.Session == p.bob.Session && bytes.Equal(m.Key, p.bob.PublicKey)
}

// learn keeps what later frames refer to.
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
