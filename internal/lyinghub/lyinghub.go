// Package lyinghub is a hub that lies, for tests: it stands between members
// and an honest hub, and changes, holds back, repeats and makes up what they
// are told. It can do whatever the owner of a hub can, and so anything short
// of knowing a member's private key.
package lyinghub

import (
	"bytes"
	"context"
	"sync"

	"noom/signal"
)

// Server is what serves a hub's end of a connection: a *hub.Hub.
type Server interface {
	Serve(ctx context.Context, s signal.Signaler) error
}

// A Lie says what becomes of a frame on its way to the member with that id:
// the frames that are sent in its place, none to drop it. It changes no frame
// but through [Remake]. A hub asks it of one frame at a time.
type Lie func(to string, m signal.Message) []signal.Message

// Hub stands in front of an honest hub. It is a Server itself.
type Hub struct {
	honest Server
	lying  chan struct{} // holds a token while a Lie runs; a lock that virtual time can pass

	mu    sync.Mutex
	lie   Lie
	lines map[string]*line // by id
}

// New returns a hub that passes everything on as honest does, until [Hub.Lie].
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

// Say tells a member what nobody said. A member that is not there hears nothing.
func (h *Hub) Say(ctx context.Context, to string, m signal.Message) error {
	h.mu.Lock()
	l := h.lines[to]
	h.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.put(ctx, m)
}

// Remake returns a copy of m that change may change.
func Remake(m signal.Message, change func(*signal.Message)) signal.Message {
	m.Stamp(m.From) // forget the encoded bytes
	m.Body = bytes.Clone(m.Body)
	change(&m)
	return m
}

// told asks the Lie what becomes of m.
func (h *Hub) told(to string, m signal.Message) []signal.Message {
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
	id      string        // of the member; set by the reader before anything is sent to it
}

// Receive implements [signal.Signaler]. It learns from the join whose line it is.
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
	for _, told := range l.hub.told(id, m) {
		if err := l.put(ctx, told); err != nil {
			return err
		}
	}
	return nil
}

// put writes one frame, in turn.
func (l *line) put(ctx context.Context, m signal.Message) error {
	l.sending <- struct{}{}
	defer func() { <-l.sending }()
	return l.Signaler.Send(ctx, m)
}

// Unwrap passes on what the transport tells of itself.
func (l *line) Unwrap() signal.Signaler { return l.Signaler }

// CloseWith passes on why the connection ends.
func (l *line) CloseWith(why *signal.Error) error { return signal.CloseWith(l.Signaler, why) }
