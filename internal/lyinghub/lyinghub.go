// Package lyinghub is a hub that lies. Only tests import it. It stands between members and
// an honest hub, and changes, withholds, repeats and makes up frames. It can do everything
// that the owner of a hub can, which is everything that needs no member's private key.
package lyinghub

import (
	"bytes"
	"context"
	"sync"

	"noom/signal"
)

// Server serves the hub's end of a connection. *hub.Hub is one.
type Server interface {
	Serve(ctx context.Context, s signal.Signaler) error
}

// A Lie returns the frames to send in place of m to the member with id to; none drops m.
// It must not change m, except through [Remake]. A hub calls it for one frame at a time.
type Lie func(to string, m signal.Message) []signal.Message

// Hub stands in front of an honest hub. It is a Server itself.
type Hub struct {
	honest Server
	lying  chan struct{} // holds a token while a Lie runs: a lock on which a synctest bubble may wait

	mu    sync.Mutex
	lie   Lie
	lines map[string]*line // by id
}

// New returns a hub that behaves like honest until [Hub.Lie] is called.
func New(honest Server) *Hub {
	return &Hub{honest: honest, lying: make(chan struct{}, 1), lines: make(map[string]*line)}
}

// Lie makes the hub lie from now on; nil makes it honest.
func (h *Hub) Lie(lie Lie) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lie = lie
}

// Serve implements [Server].
func (h *Hub) Serve(ctx context.Context, s signal.Signaler) error {
	return h.honest.Serve(ctx, &line{Signaler: s, hub: h, sending: make(chan struct{}, 1)})
}

// Say sends a member a frame that nobody has sent. If the member is not there, nothing is sent.
func (h *Hub) Say(ctx context.Context, to string, m signal.Message) error {
	h.mu.Lock()
	l := h.lines[to]
	h.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.put(ctx, m)
}

// Remake returns a copy of m, as modified by change.
func Remake(m signal.Message, change func(*signal.Message)) signal.Message {
	m.Stamp(m.From) // forget the encoded bytes
	m.Body = bytes.Clone(m.Body)
	change(&m)
	return m
}

// ask returns what the Lie makes of m.
func (h *Hub) ask(to string, m signal.Message) []signal.Message {
	h.mu.Lock()
	lie := h.lie
	h.mu.Unlock()
	if lie == nil || to == "" {
		return []signal.Message{m}
	}
	h.lying <- struct{}{}
	defer func() { <-h.lying }()
	return lie(to, m)
}

// A line is the honest hub's end of the connection to one member.
type line struct {
	signal.Signaler

	hub     *Hub
	sending chan struct{} // holds a token while a frame is written
	id      string        // of the member; set by Receive before anything is sent to it
}

// Receive implements [signal.Signaler]. It learns the member's id from the join.
func (l *line) Receive(ctx context.Context) (signal.Message, error) {
	m, err := l.Signaler.Receive(ctx)
	if err == nil && m.Type == signal.TypeJoin {
		l.hub.mu.Lock()
		l.id = signal.MemberID(m.Key)
		l.hub.lines[l.id] = l
		l.hub.mu.Unlock()
	}
	return m, err
}

// Send implements [signal.Signaler].
func (l *line) Send(ctx context.Context, m signal.Message) error {
	l.hub.mu.Lock()
	id := l.id
	l.hub.mu.Unlock()
	for _, sent := range l.hub.ask(id, m) {
		if err := l.put(ctx, sent); err != nil {
			return err
		}
	}
	return nil
}

// put writes one frame at a time.
func (l *line) put(ctx context.Context, m signal.Message) error {
	l.sending <- struct{}{}
	defer func() { <-l.sending }()
	return l.Signaler.Send(ctx, m)
}

// Unwrap gives access to the transport's Signaler.
func (l *line) Unwrap() signal.Signaler { return l.Signaler }

// CloseWith closes the transport's Signaler with a reason.
func (l *line) CloseWith(why *signal.Error) error { return signal.CloseWith(l.Signaler, why) }
