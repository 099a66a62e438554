package frames_test

import (
	"crypto/ed25519"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/exchange"
	"noom/internal/frames"
	"noom/internal/mailbox"
	"noom/signal"
)

// end is one of two members. The test carries their frames by hand.
type end struct {
	*frames.Frames
	member   signal.Member
	key      ed25519.PrivateKey
	mail     *mailbox.Mailbox
	verdict  frames.Verdict
	asleep   bool
	answered func() bool
	inBand   bool // a connection works

	byHub, byConn []signal.Message // sent, and not carried yet
	got           []string         // bodies
	renewed       []frames.Via
	reborn        []string
	warned        int
	overfull      error
	leftAtOnce    int
}

func (e *end) Asleep() bool                        { return e.asleep }
func (e *end) Ahead() frames.Verdict               { return e.verdict }
func (e *end) Answered() bool                      { return e.answered() }
func (e *end) Renewed(via frames.Via)              { e.renewed = append(e.renewed, via) }
func (e *end) Reborn(session string)               { e.reborn = append(e.reborn, session) }
func (e *end) LeftAtOnce()                         { e.leftAtOnce++ }
func (e *end) Overfull(err error)                  { e.overfull = err }
func (e *end) SendHub(m signal.Message)            { e.byHub = append(e.byHub, m) }
func (e *end) Trace(string, ...any)                {}
func (e *end) Warn(string, ...any)                 { e.warned++ }
func (e *end) Received(signal.Message, frames.Via) {}

func (e *end) SendInBand(m signal.Message, _ bool) bool {
	if e.inBand {
		e.byConn = append(e.byConn, m)
	}
	return e.inBand
}

func (e *end) Delivered(messages []exchange.Message) {
	for _, m := range messages {
		e.got = append(e.got, string(m.Body))
	}
}

func newEnd(name string) *end {
	public, key, _ := ed25519.GenerateKey(nil)
	return &end{key: key, mail: mailbox.New(nil), member: signal.Member{
		ID: signal.MemberID(signal.PublicKey(public)), Name: name, PublicKey: signal.PublicKey(public), Session: signal.NewSession(),
	}}
}

// newEnds makes two ends of one link.
func newEnds() (a, b *end) {
	a, b = newEnd("지우"), newEnd("b")
	for _, pair := range [][2]*end{{a, b}, {b, a}} {
		e := pair[0]
		e.Frames = frames.New(frames.Config{
			Room: "방", Self: e.member, Peer: pair[1].member, Mail: e.mail, Owner: e,
			Sign: func(text []byte) signal.Bytes { return ed25519.Sign(e.key, text) },
		})
	}
	return a, b
}

// carryFrames delivers what was sent to the other end, by hub first.
func carryFrames(from, to *end) {
	from.Flush()
	byHub, byConn := from.byHub, from.byConn
	from.byHub, from.byConn = nil, nil
	for _, m := range byHub {
		to.Receive(m, frames.ByHub)
	}
	for _, m := range byConn {
		to.Receive(m, 1)
	}
}

func TestFramesCarryMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newEnds()
		a.Begin()
		a.Send(signal.TypeTable, []byte("1"), false)
		a.Send(signal.TypeTable, []byte("2"), false)
		carryFrames(a, b)
		if !slices.Equal(b.got, []string{"1", "2"}) || !slices.Equal(b.renewed, []frames.Via{frames.ByHub}) {
			t.Fatalf("got %q, renewed by %v", b.got, b.renewed)
		}
		carryFrames(b, a)
		if a.Acked() != 2 || a.Pending() {
			t.Errorf("%d are acknowledged", a.Acked())
		}
		a.Flush() // the answer to a frame that came by hub goes by hub too
		a.inBand = true
		a.Send(signal.TypeTable, []byte("3"), false)
		a.Flush()
		if len(a.byHub) != 0 || len(a.byConn) != 1 {
			t.Errorf("%d by hub and %d in-band", len(a.byHub), len(a.byConn))
		}
		a.byConn = nil // lost
		a.Resend()
		if carryFrames(a, b); !slices.Equal(b.got, []string{"1", "2", "3"}) {
			t.Errorf("got %q", b.got)
		}
		a.Send(signal.TypeTable, []byte("4"), true)
		if a.Flush(); len(a.byHub) != 1 || len(a.byConn) != 0 {
			t.Errorf("a hub-only message was sent %d times by hub and %d in-band", len(a.byHub), len(a.byConn))
		}
		a.Stop()
		b.Stop()
	})
}

// TestForgedFramesAreDropped: a frame that the peer has not signed is dropped, and only the first is reported.
func TestForgedFramesAreDropped(t *testing.T) {
	a, b := newEnds()
	a.Begin()
	a.Send(signal.TypeTable, []byte("1"), false)
	a.Flush()
	a.Stop()
	m := a.byHub[0]
	for _, forge := range []func(*signal.Message){
		func(m *signal.Message) { m.Body = []byte("2") },
		func(m *signal.Message) { m.Epoch.Number++ },
		func(m *signal.Message) { m.Seq++ },
		func(m *signal.Message) { m.To = a.member.ID },
		func(m *signal.Message) { m.Sessions[0] = signal.NewSession() },
	} {
		forged := m
		forge(&forged)
		b.Receive(forged, frames.ByHub)
	}
	if len(b.got) != 0 || len(b.renewed) != 0 || b.warned != 1 {
		t.Errorf("got %q, renewed %d times, warned %d times", b.got, len(b.renewed), b.warned)
	}
}

// TestStaleFramesAreAnswered: a frame for another session of ours is answered with the current one, once a second.
func TestStaleFramesAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newEnds()
		old := b.member
		old.Session = signal.NewSession()
		toOld := frames.New(frames.Config{
			Room: "방", Self: a.member, Peer: old, Mail: mailbox.New(nil), Owner: a,
			Sign: func(text []byte) signal.Bytes { return ed25519.Sign(a.key, text) },
		})
		toOld.Begin()
		for range 3 {
			toOld.Send(signal.TypeTable, nil, false)
		}
		toOld.Flush()
		toOld.Stop()
		sent := a.byHub
		for _, wait := range []time.Duration{0, time.Second} {
			time.Sleep(wait)
			for _, m := range sent {
				b.Receive(m, frames.ByHub)
			}
		}
		if len(b.byHub) != 2 || b.byHub[0].Type != signal.TypeStale || len(b.got) != 0 {
			t.Fatalf("%d answers, got %q", len(b.byHub), b.got)
		}
		toOld.Receive(b.byHub[0], frames.ByHub)
		if !slices.Equal(a.reborn, []string{b.member.Session}) {
			t.Errorf("reborn as %q", a.reborn)
		}
	})
}

// TestFramesAreHeld: frames of an epoch that may not begin yet are held or dropped; what is dropped comes again.
func TestFramesAreHeld(t *testing.T) {
	a, b := newEnds()
	a.Begin()
	a.Send(signal.TypeTable, []byte("1"), false)
	b.verdict = frames.Drop
	carryFrames(a, b)
	b.Release()
	b.verdict = frames.Hold
	a.Resend()
	carryFrames(a, b)
	if len(b.got) != 0 {
		t.Fatalf("got %q", b.got)
	}
	b.verdict = frames.Take
	if b.Release(); !slices.Equal(b.got, []string{"1"}) {
		t.Errorf("got %q", b.got)
	}
	b.asleep = true
	a.Send(signal.TypeTable, []byte("2"), false)
	if carryFrames(a, b); len(b.got) != 1 {
		t.Errorf("asleep, got %q", b.got)
	}
	a.Stop()
}

// TestPeerAcknowledgesNothing: a peer that acknowledges nothing is reported as overfull.
func TestPeerAcknowledgesNothing(t *testing.T) {
	a, _ := newEnds()
	a.Begin()
	for range frames.MaxQueued {
		a.Send(signal.TypeTable, nil, false)
	}
	if a.overfull != nil {
		t.Fatal("reported too early")
	}
	if a.Send(signal.TypeTable, nil, false); a.overfull == nil {
		t.Error("not reported")
	}
}

// A left without a number counts in any epoch, and before the first, but for two sessions alone.
func TestLeftAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newEnds()
		say := func(change func(m *signal.Message)) int {
			m := signal.Message{Type: signal.TypeLeft, To: b.member.ID, Sessions: [2]string{a.member.Session, b.member.Session}}
			if change != nil {
				change(&m)
			}
			m.Signature = ed25519.Sign(a.key, signal.PairText(&m, "방", a.member.ID))
			before := b.leftAtOnce
			b.Receive(m, 1)
			return b.leftAtOnce - before
		}
		if say(nil) != 1 {
			t.Error("it does not count before the first epoch")
		}
		a.Begin()
		a.Send(signal.TypeTable, []byte("1"), false)
		carryFrames(a, b)
		if say(nil) != 1 {
			t.Error("it does not count in an epoch")
		}
		for what, change := range map[string]func(m *signal.Message){
			"of another session":      func(m *signal.Message) { m.Sessions[0] = signal.NewSession() },
			"to another session":      func(m *signal.Message) { m.Sessions[1] = signal.NewSession() },
			"to another member":       func(m *signal.Message) { m.To = a.member.ID },
			"with a number, too high": func(m *signal.Message) { m.Seq, m.Epoch = 99, signal.Epoch{Number: 1, By: a.member.ID} },
		} {
			if say(change) != 0 {
				t.Errorf("a left %s counts", what)
			}
		}
	})
}

// TestProbe: a probe goes in-band or not at all, and its receiver neither acts on it nor answers.
func TestProbe(t *testing.T) {
	a, b := newEnds()
	a.Begin()
	a.Send(signal.TypeTable, []byte("1"), false)
	carryFrames(a, b)
	carryFrames(b, a)
	a.Probe()
	if len(a.byHub)+len(a.byConn) > 0 {
		t.Error("sent by hub")
	}
	a.inBand, b.inBand = true, true
	a.Probe()
	if len(a.byHub) > 0 || len(a.byConn) != 1 {
		t.Fatalf("%d by hub and %d in-band", len(a.byHub), len(a.byConn))
	}
	carryFrames(a, b)
	carryFrames(b, a)
	if len(b.got) != 1 || len(b.renewed) != 1 || b.warned > 0 || len(a.byConn)+len(b.byConn) > 0 || a.Pending() {
		t.Errorf("b got %q, and something more was sent", b.got)
	}
}

// card is that of from, with its first offer.
func card(t *testing.T, from *end, offer string) *signal.Card {
	t.Helper()
	c, short := signal.NewCard([]byte(offer))
	if !short {
		t.Fatal("no room for it in a card")
	}
	c.Signature = ed25519.Sign(from.key, signal.CardText("방", from.member.Session, c.Offer))
	return c
}

// TestCardIsTheFirstFrame: the card of a newcomer is the first frame of its epoch, and the newcomer begins that when the
// answer comes.
func TestCardIsTheFirstFrame(t *testing.T) {
	resident, newcomer := newEnds()
	resident.Card(card(t, newcomer, "offer"))
	if !slices.Equal(resident.got, []string{"offer"}) || !slices.Equal(resident.renewed, []frames.Via{frames.ByHub}) || resident.Epoch() != 1 {
		t.Fatalf("got %q in epoch %d, renewed by %v", resident.got, resident.Epoch(), resident.renewed)
	}
	resident.Send(signal.TypeAnswer, []byte("answer"), false)
	newcomer.answered = func() bool {
		newcomer.BeginCard([]byte("offer"))
		return true
	}
	carryFrames(resident, newcomer)
	if !slices.Equal(newcomer.got, []string{"answer"}) || newcomer.Acked() != 1 || len(newcomer.renewed) != 0 {
		t.Errorf("got %q, %d acknowledged, renewed by %v", newcomer.got, newcomer.Acked(), newcomer.renewed)
	}
	resident.Stop()
	newcomer.Stop()
}

// TestCardInAnEpoch: once there is an epoch, a card ends it no more, although the newcomer's would win.
func TestCardInAnEpoch(t *testing.T) {
	resident, newcomer := newEnds()
	if newcomer.member.ID < resident.member.ID {
		resident, newcomer = newcomer, resident
	}
	resident.Begin()
	resident.Card(card(t, newcomer, "offer"))
	if len(resident.got) != 0 || len(resident.renewed) != 0 || resident.warned != 0 {
		t.Errorf("got %q, renewed by %v", resident.got, resident.renewed)
	}
}

// TestCardWaitsForItsTurn: a card is held back like another frame of a newcomer, and dropped like one.
func TestCardWaitsForItsTurn(t *testing.T) {
	resident, newcomer := newEnds()
	resident.verdict = frames.Hold
	resident.Card(card(t, newcomer, "offer"))
	if len(resident.got) != 0 {
		t.Errorf("got %q before its turn", resident.got)
	}
	resident.verdict = frames.Take
	if resident.Release(); !slices.Equal(resident.got, []string{"offer"}) {
		t.Errorf("got %q", resident.got)
	}
}

// TestCardsThatAreNone: they are dropped, and those that somebody else has signed are reported once.
func TestCardsThatAreNone(t *testing.T) {
	resident, newcomer := newEnds()
	stranger, _ := newEnds()
	good, other := card(t, newcomer, "offer"), card(t, newcomer, "another offer")
	for _, bad := range []*signal.Card{
		{Offer: other.Offer, Signature: good.Signature}, {Offer: good.Offer}, card(t, stranger, "offer"),
	} {
		resident.Card(bad)
	}
	if resident.warned != 1 {
		t.Errorf("reported %d times", resident.warned)
	}
	broken := signal.Bytes("안녕")
	resident.Card(&signal.Card{
		Offer: broken, Signature: ed25519.Sign(newcomer.key, signal.CardText("방", newcomer.member.Session, broken)),
	})
	if len(resident.got) != 0 || resident.Epoch() != 0 || resident.warned != 1 {
		t.Errorf("got %q in epoch %d, reported %d times", resident.got, resident.Epoch(), resident.warned)
	}
}

// TestCardThatWasNotForIt: the answer to a card that cannot be answered begins nothing, and the next epoch is a new one.
func TestCardThatWasNotForIt(t *testing.T) {
	resident, newcomer := newEnds()
	resident.Card(card(t, newcomer, "offer"))
	resident.Send(signal.TypeAnswer, []byte("answer"), false)
	newcomer.answered = func() bool {
		newcomer.PassCard()
		newcomer.Begin()
		newcomer.Send(signal.TypeOffer, []byte("offer by hub"), false)
		return false
	}
	carryFrames(resident, newcomer)
	if len(newcomer.got) != 0 || newcomer.Epoch() != 2 {
		t.Errorf("got %q in epoch %d", newcomer.got, newcomer.Epoch())
	}
	if carryFrames(newcomer, resident); !slices.Equal(resident.got, []string{"offer", "offer by hub"}) || resident.Epoch() != 2 {
		t.Errorf("the resident has got %q in epoch %d", resident.got, resident.Epoch())
	}
	resident.Stop()
	newcomer.Stop()
}
