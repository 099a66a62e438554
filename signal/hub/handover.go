package hub

import (
	"crypto/ed25519"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"noom/internal/ownership"
	"noom/signal"
)

// This file is the one place where members and memories become what hubs say to each other, and come from it.

// A known member is what the hub of a member and the owner of its room know of it, as [ownership.Conn.Member], beside
// what that type has itself.
type knownMember struct {
	signal.Member

	Until    *instant     `json:"until,omitzero"`
	Endpoint string       `json:"endpoint,omitzero"`
	Parting  signal.Bytes `json:"parting,omitzero"`
	Address  netip.Addr   `json:"address,omitzero"`
	Since    *instant     `json:"since,omitzero"`
	Once     string       `json:"once,omitzero"`
}

// An instant is the seconds since 1970, and nanoseconds. As text a time may not be after the year 9999, and who authorises
// may well say so. A nil one is never.
type instant [2]int64

func instantOf(t time.Time) *instant {
	if t.IsZero() {
		return nil
	}
	return &instant{t.Unix(), int64(t.Nanosecond())}
}

func (i *instant) time() time.Time {
	if i == nil {
		return time.Time{}
	}
	return time.Unix(i[0], i[1])
}

func (s *seat[C]) known() knownMember {
	return knownMember{
		s.member, instantOf(s.until), s.parting.endpoint, s.parting.nonce, s.arrival.address, instantOf(s.arrival.since), s.once,
	}
}

// handed is a seat for other hubs. The caller knows its address, and ownership its order.
func (s *seat[C]) handed() (ownership.Conn, error) {
	member, err := json.Marshal(s.known())
	return ownership.Conn{Person: person(&s.member, s.identity), Named: s.named, Member: member}, err
}

// seatOf is the seat of a member that another hub may have handed over.
func seatOf[C comparable](c C, from *ownership.Conn) (seat[C], error) {
	var m knownMember
	if err := json.Unmarshal(from.Member, &m); err != nil {
		return seat[C]{}, fmt.Errorf("hub: a member from another hub: %w", err)
	}
	if m.ID != from.ID || !wholeKey(m.PublicKey) {
		return seat[C]{}, fmt.Errorf("hub: a member %q from another hub, with a key of %d bytes, as %q", m.ID, len(m.PublicKey), from.ID)
	}
	return seat[C]{c, m.Member, from.Identity, from.Named, m.Until.time(), parting{m.Endpoint, m.Parting}, arrival{m.Address, m.Since.time()}, m.Once}, nil
}

// wholeKey reports whether a signature can be checked with k, or there is none.
func wholeKey(k signal.PublicKey) bool { return len(k) == 0 || len(k) == ed25519.PublicKeySize }

// wholeCard returns a card that another hub has passed on, or nil if no member would take it: it joins without one then.
func wholeCard(c *signal.Card) *signal.Card {
	if c == nil || len(c.Offer) == 0 || len(c.Offer) > signal.MaxCard || len(c.Signature) != ed25519.SignatureSize {
		return nil
	}
	return c
}

func person(m *signal.Member, identity string) ownership.Person {
	return ownership.Person{ID: m.ID, Session: m.Session, Identity: identity}
}

// A rest is what a memory has beside the rest of an [ownership.Memory].
type rest struct {
	Absent []restAbsence `json:"absent,omitempty"`
	Ends   []restEnding  `json:"ends,omitempty"`
	Ended  int           `json:"ended,omitzero"`
	Unseen []string      `json:"unseen,omitempty"` // ids of those that are barred
}

type restAbsence struct {
	knownMember

	Identity string `json:"identity,omitzero"`
	Named    bool   `json:"named,omitzero"`
	Lost     bool   `json:"lost,omitzero"`
	Ended    int    `json:"ended,omitzero"`
}

type restEnding struct {
	ID      string        `json:"id"`
	Session string        `json:"session"`
	Reason  signal.Reason `json:"reason"`
	N       int           `json:"n"`
}

// handed is a memory for other hubs.
func (m *memory) handed() (ownership.Memory, error) {
	o, r := ownership.Memory{Locked: m.locked}, rest{Ended: m.ended}
	for i := range m.absent {
		a := &m.absent[i]
		r.Absent = append(r.Absent, restAbsence{
			knownMember{Member: a.member, Until: instantOf(a.until), Endpoint: a.parting.endpoint, Parting: a.parting.nonce}, a.identity, a.named, a.lost, a.ended,
		})
		if a.awaited {
			o.Away = append(o.Away, person(&a.member, a.identity))
		}
	}
	for _, e := range m.ends {
		r.Ends = append(r.Ends, restEnding{e.bye.From, e.bye.Session, e.bye.Reason, e.n})
	}
	for _, b := range m.barred {
		o.Barred = append(o.Barred, ownership.Person{ID: b.id, Identity: b.identity})
		if b.unseen {
			r.Unseen = append(r.Unseen, b.id)
		}
	}
	if len(r.Absent)+r.Ended+len(r.Unseen) == 0 {
		return o, nil
	}
	more, err := json.Marshal(r)
	o.Rest = append(o.Rest, more)
	return o, err
}

// memoryOf is what other hubs have handed over. With an error it lacks what cannot be read, and has its lock and kicks.
func memoryOf(o *ownership.Memory) (m memory, err error) {
	var unseen []string
	for i, more := range o.Rest {
		var r rest
		if e := json.Unmarshal(more, &r); e != nil {
			err = fmt.Errorf("hub: a room from another hub: %w", e)
		} else if i == 0 {
			m, unseen = r.memory(), r.Unseen
		} else {
			m.unite(r.memory())
			unseen = append(unseen, r.Unseen...)
		}
	}
	m.locked = o.Locked
	m.await(o.Away)
	for _, p := range o.Barred {
		m.barred = append(m.barred, barredMember{p.ID, p.Identity, p.Identity == "" && slices.Contains(unseen, p.ID)})
	}
	return m, err
}

// memory is what r says of members that are gone. One with a key that is none can post no bye.
func (r *rest) memory() (m memory) {
	m.ended = r.Ended
	for i := range r.Absent {
		a := &r.Absent[i]
		if !wholeKey(a.PublicKey) {
			a.PublicKey = nil
		}
		m.absent = append(m.absent, absence{
			member: a.Member, identity: a.Identity, named: a.Named, until: a.Until.time(), parting: parting{a.Endpoint, a.knownMember.Parting},
			lost: a.Lost, ended: a.Ended,
		})
	}
	for _, e := range r.Ends {
		m.ends = append(m.ends, ending{goodbye(&signal.Member{ID: e.ID, Session: e.Session}, e.Reason), e.N})
	}
	return m
}

// await lets a locked room admit those again. Of one that was in it when its hub died nothing else is known.
func (m *memory) await(away []ownership.Person) {
	for _, p := range away {
		at := slices.IndexFunc(m.absent, func(a absence) bool { return a.member.ID == p.ID })
		if at < 0 {
			at = len(m.absent)
			m.absent = append(m.absent, absence{member: signal.Member{ID: p.ID, Session: p.Session}, identity: p.Identity})
		}
		m.absent[at].lost, m.absent[at].awaited = true, true
	}
}

// rejoin completes the joined that a member gets when its room has moved. The answer has what the member's hub adds, a nonce
// among it; the roster has what all seats have handed over, in their order; before is how many sit before the member.
func rejoin(answer *signal.Message, roster []jsontext.Value, before int, locked bool) error {
	if before < 0 || before >= len(roster) {
		return fmt.Errorf("hub: place %d in a roster of %d from another hub", before, len(roster))
	}
	answer.Members = make([]signal.Member, 0, len(roster)-1)
	for i, v := range roster {
		var m knownMember
		if err := json.Unmarshal(v, &m); err != nil {
			return fmt.Errorf("hub: a roster from another hub: %w", err)
		}
		if i == before {
			answer.Self = &m.Member
		} else {
			answer.Members = append(answer.Members, m.Member)
		}
	}
	answer.Place, answer.Locked = int32(before)+1, locked //nolint:gosec // at most mostMembers
	return nil
}
