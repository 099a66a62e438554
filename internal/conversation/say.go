package conversation

import (
	"context"
	"encoding/json"

	"noom/signal"
)

// say sends a frame of the hub or the other member.
func (p *Player) say(ctx context.Context, s *Step) error {
	frame, _ := p.names.fill(s.Frame).(map[string]any)
	var body map[string]any
	if s.Body != nil {
		body, _ = p.names.fill(s.Body).(map[string]any)
	}
	if s.Pair {
		return p.sayAsMember(ctx, s, frame, body)
	}
	p.complete(frame)
	if frame["card"] == "<card>" {
		frame["card"] = p.card
	}
	m, err := messageOf(frame, nil)
	if err != nil {
		return err
	}
	listed := m.Members
	if m.Type == signal.TypeWelcome {
		listed = []signal.Member{*m.Member}
	}
	for i := range listed {
		if listed[i].ID == p.self.id {
			p.reborn(listed[i].Session)
		}
	}
	return p.line.signaler.Send(ctx, m)
}

// complete adds the fields of a joined frame that conversations leave out.
func (p *Player) complete(frame map[string]any) {
	if frame["type"] != string(signal.TypeJoined) {
		return
	}
	for key, value := range map[string]any{
		"self": map[string]any{
			"id": p.bob.ID, "name": p.bob.Name, "key": p.names["<bob.key>"], "session": p.bob.Session,
		},
		"heartbeat": 10_000,
		"limits": map[string]any{
			"frame": signal.MaxFrame, "name": 128, "chat": 4096, "members": 64, "rate": 50, "burst": 1074,
		},
	} {
		if _, there := frame[key]; !there {
			frame[key] = value
		}
	}
}

// messageOf makes a frame of plain JSON.
func messageOf(frame, body map[string]any) (signal.Message, error) {
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
