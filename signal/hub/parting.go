package hub

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net/netip"
	"sync"
	"time"

	"noom/signal"
)

// This file takes byes that come apart from a connection. A page that goes away may have lost its connection by the
// time that it hears of that, so it posts its bye, signed ahead (PROTOCOL.md section 2).

// mostBye is how many bytes a bye that is posted may have; the longest room's name in escapes fits.
const mostBye = 2048

// partingTime is for what a member sent before its bye was posted, which that may have overtaken.
const partingTime = 500 * time.Millisecond

// newParting draws the nonce of a connection.
func newParting(endpoint string) parting {
	p := parting{endpoint, make(signal.Bytes, 32)}
	rand.Read(p.nonce)
	return p
}

// A byeDoor bounds how many byes are looked at. It guards itself.
type byeDoor struct {
	mu      sync.Mutex
	near    throttle[netip.Prefix]
	bounded bool // by address
}

// newByeDoor lets from one address twice as many come as newGate lets join, because a page posts its bye twice.
func newByeDoor(perAddress int) *byeDoor {
	p := pacePerAddress(perAddress)
	return &byeDoor{near: throttle[netip.Prefix]{pace: pace{2 * p.burst, p.pause / 2}}, bounded: perAddress >= 0}
}

// take counts a bye, and says how long there may be no other if it is one too many.
func (d *byeDoor) take(from netip.Addr, now time.Time) (wait time.Duration) {
	near, counts := neighbourhood(from)
	if !counts || !d.bounded {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, wait, _ = d.near.take(near, now, 0)
	return wait
}

// TakeBye takes a bye that comes apart from its member's connection: a frame of at most 2 KiB, signed for that
// connection. ws.Handler calls it for what is posted to it; from is where that comes from. The member leaves when its
// connection ends, or half a second later, so that what it sent before is delivered. It need not be there any longer:
// if the hub has lost it, the others learn at once that it left. The error is a [*signal.Error]:
// too_many, too_big, malformed, or no_such_member, which is the same for a member that does not exist and for a
// signature that is not of it, or not for the connection that it has, or had last.
func (h *Hub) TakeBye(bye io.Reader, from netip.Addr) error {
	if wait := h.byes.take(from.Unmap().WithZone(""), time.Now()); wait > 0 {
		e := signal.Errorf(signal.CodeTooMany, signal.TypeBye, "too many byes from this address; try again in %v", wait.Round(time.Second))
		e.RetryAfter = max(wait, time.Second)
		return e
	}
	frame, err := io.ReadAll(io.LimitReader(bye, mostBye+1))
	switch {
	case err != nil:
		return signal.Errorf(signal.CodeMalformed, signal.TypeBye, "the bye did not come whole")
	case len(frame) > mostBye:
		return signal.Errorf(signal.CodeTooBig, signal.TypeBye, "a bye of more than %d bytes", mostBye)
	}
	m, err := signal.Decode(frame)
	switch {
	case err != nil:
		return err
	case m.Type != signal.TypeBye:
		return signal.Errorf(signal.CodeMalformed, m.Type, "only a bye is taken here")
	case !h.part(&m):
		return signal.Errorf(signal.CodeNoSuchMember, m.Type, "no connection of a member is signed for by this")
	}
	return nil
}

// part ends the membership that a bye is signed for. It reports false if there is none.
func (h *Hub) part(m *signal.Message) bool {
	if h.fleet != nil {
		return h.fleet.part(m)
	}
	p := h.place(m.Room)
	return p != nil && p.part(m)
}

func (p *home) part(m *signal.Message) bool {
	c, of, key := p.parting(m.From, m.Session)
	if key == nil || !ed25519.Verify(ed25519.PublicKey(key), signal.ByeText(of.endpoint, m.Room, m.Session, of.nonce), m.Signature) {
		return false
	}
	if c == nil {
		return p.partFrom(m.From, &of)
	}
	if !c.parted.Swap(true) { // a page posts its bye twice
		time.AfterFunc(partingTime, func() { p.partFrom(m.From, &of) })
	}
	return true
}

// parting is what a member's bye has to be signed for, its connection if it is there, and the key; nil if there is
// no such member.
func (p *home) parting(id, session string) (*conn, parting, signal.PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.room.parting(id, session)
}

// partFrom ends a member's last connection, if it is still that one. It reports whether it was.
func (p *home) partFrom(id string, of *parting) bool {
	p.mu.Lock()
	c, deliveries, ok := p.room.part(id, of)
	_ = p.settle(deliveries) // a bye always fits
	p.mu.Unlock()
	if c != nil && c.outbox.abandon(nil, nil) {
		time.AfterFunc(lingerTime, c.cut)
	}
	return ok
}
