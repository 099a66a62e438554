package hub

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"noom/internal/ownership"
)

// This file is what goes over the backplane, and what is done with that which comes. The messages about rooms and beats
// are internal/ownership's; ask.go has questions, and far.go lists of rooms.

// subscribe subscribes to what is not subscribed to yet; the caller holds mu.
func (f *fleet) subscribe() error {
	all := []struct {
		subject string
		take    func(data []byte)
	}{
		{f.prefix + "beat", f.takeBeat},
		{f.prefix + "to." + f.self, f.takeOwn},
		{f.prefix + "ask." + f.self, f.takeQuestion},
		{f.prefix + "rooms", f.takeRooms},
	}
	for _, s := range all[len(f.subscribed):] {
		cancel, err := f.config.Backplane.Subscribe(s.subject, f.guarded(s.take))
		if err != nil {
			return err
		}
		f.subscribed = append(f.subscribed, cancel)
	}
	return nil
}

func (f *fleet) unsubscribe() {
	for _, cancel := range f.subscribed {
		cancel()
	}
	f.subscribed = nil
}

// guarded makes a panic the end of what was to be done about one message.
func (f *fleet) guarded(take func(data []byte)) func(data []byte) {
	return func(data []byte) {
		defer func() {
			if p := recover(); p != nil {
				f.hub.logbook.write("panic", slog.LevelError, "panic", slog.Any("why", p), slog.String("stack", string(debug.Stack())))
			}
		}()
		if !f.silent.Load() {
			take(data)
		}
	}
}

// publish sends what has been encoded.
func (f *fleet) publish(subject string, data []byte, err error) error {
	switch {
	case f.silent.Load():
		return nil
	case err == nil:
		err = f.config.Backplane.Publish(f.prefix+subject, data)
	}
	if err != nil {
		f.counts.lost.Add(1)
		f.note("backplane", "a message to other hubs is lost", err)
		return err
	}
	f.counts.published.Add(1)
	return nil
}

// send publishes a message for one hub; one that is lost is found to be, by what follows.
func (f *fleet) send(to string, m *ownership.Message) {
	data, err := m.Encode()
	_ = f.publish("to."+to, data, err)
}

func (f *fleet) broadcast(m *ownership.Message) error {
	data, err := m.Encode()
	return f.publish("beat", data, err)
}

// takeBeat takes what a hub says to all.
func (f *fleet) takeBeat(data []byte) {
	m, err := ownership.Decode(data)
	if err != nil || m.Type != ownership.TypeBeat && m.Type != ownership.TypeSettled {
		f.ignore(err)
		return
	}
	if m.Hub == f.self {
		return
	}
	f.counts.taken.Add(1)
	f.mu.Lock()
	if !f.over && f.machine.Take(m) {
		f.viewed()
	}
	f.clocks.note(m.Hub, m.Clock, time.Now())
	f.mu.Unlock()
	for _, k := range m.Marks {
		if k.To == f.self {
			f.marked(m.Hub, k)
		}
	}
}

func (f *fleet) marked(from string, k ownership.Mark) {
	if p := f.place(k.Room); p != nil {
		p.do(func() { p.run(p.machine.Marked(from, k)) })
		return
	}
	answer := ownership.NoPart
	if !k.Down {
		answer = ownership.Unknown
	}
	m := answer(f.self, k.Room, k.N)
	f.send(from, &m)
}

// takeOwn takes what a hub says to this one.
func (f *fleet) takeOwn(data []byte) {
	m, err := ownership.Decode(data)
	if err != nil || m.Type == ownership.TypeBeat || m.Type == ownership.TypeSettled || m.Hub == f.self {
		f.ignore(err)
		return
	}
	f.taken(m.Hub)
	p := f.place(m.Room)
	if p == nil && m.Type == ownership.TypeAttach {
		if p = f.host(m.Room); p == nil {
			f.ignore(fmt.Errorf("%d rooms of other hubs, the most", farRooms*f.hub.config.MaxRooms))
			return
		}
	}
	switch {
	case p != nil && p.do(func() { p.run(p.machine.Take(m)) }):
	case p != nil && m.Type == ownership.TypeAttach: // it was forgotten just now
		f.takeOwn(data)
	case m.Type == ownership.TypeEnter || m.Type == ownership.TypeFrame:
		renew := ownership.Unknown(f.self, m.Room, m.N)
		f.send(m.Hub, &renew)
	}
}

// taken counts what a hub has said.
func (f *fleet) taken(hub string) {
	f.counts.taken.Add(1)
	f.heard.note(hub)
}

// heardHubs are those that have said something since the last tick. It guards itself.
type heardHubs struct {
	mu   sync.Mutex
	hubs map[string]struct{}
}

// mostHeard is more than there can be hubs.
const mostHeard = 2048

func (h *heardHubs) note(hub string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hubs == nil {
		h.hubs = make(map[string]struct{})
	}
	if len(h.hubs) < mostHeard {
		h.hubs[hub] = struct{}{}
	}
}

func (h *heardHubs) take() map[string]struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	hubs := h.hubs
	h.hubs = nil
	return hubs
}

// ignore counts what is no message of a hub.
func (f *fleet) ignore(why error) {
	f.counts.ignored.Add(1)
	f.note("foreign", "what came over the backplane is not from a hub of this version", why)
}
