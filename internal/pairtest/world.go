package pairtest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"noom/internal/exchange"
	"noom/internal/negotiate"
	"noom/internal/recovery"
)

// name identifies something across a whole run, so that the model can tell
// what the wire cannot: the n-th of its kind that a member made in its session,
// in the life-th link it has had to the other, in an epoch. The zero name is nothing.
type name struct {
	session, life, epoch, by, n int8
}

// body is what a message's body tells.
type body struct {
	id      int64 // of an offer or answer, as on the wire
	offer   name  // the offer it is or answers
	ufrag   name  // the sender's ICE generation
	found   name  // the generation that a candidate really belongs to
	version int16 // of the table
	mutes   int8  // the table: how often its sender has muted
	tracks  int8  // and what it sends
}

func (b *body) encode() []byte {
	out := binary.AppendVarint(nil, b.id)
	for _, n := range []name{b.offer, b.ufrag, b.found} {
		out = n.append(out)
	}
	return append(binary.BigEndian.AppendUint16(out, uint16(b.version)), byte(b.mutes), byte(b.tracks))
}

func (n name) append(to []byte) []byte {
	return append(to, byte(n.session), byte(n.life), byte(n.epoch), byte(n.by), byte(n.n))
}

func decode(in []byte) (b body) {
	id, n := binary.Varint(in)
	b.id, in = id, in[n:]
	for _, n := range []*name{&b.offer, &b.ufrag, &b.found} {
		*n = name{int8(in[0]), int8(in[1]), int8(in[2]), int8(in[3]), int8(in[4])}
		in = in[5:]
	}
	b.version, b.mutes, b.tracks = int16(binary.BigEndian.Uint16(in)), int8(in[2]), int8(in[3])
	return b
}

// ice is what ICE of a connection goes by.
type ice struct {
	local   name // ICE generations of the descriptions in force
	remote  name
	started bool // it has left the state new
	deaf    bool // nothing arrives, whatever it says
}

// conn is an end's connection of the current epoch.
type conn struct {
	number    recovery.Number // 0: there is none
	epoch     exchange.Epoch
	signaling Signaling
	ice
	outstanding name // our offer that is not answered
	generation  int8
	offered     int8 // tracks that have a section
	agreed      int8 // and whose section was answered
	received    int8 // of the other's
	pending     []name
	asked       bool // and the turn has not come since
	stuck       bool // for marks: an offer for the hub only met no hub
}

// link is what one end keeps of the other. The zero link is none.
type link struct {
	session int8 // the other's
	known   bool // in the roster
	turn    negotiate.Machine
	conn    conn
	old     []old              // connections that serve until this epoch's is up
	inbox   []exchange.Message // delivered, not acted on
	waiting int8               // tracks without a section
	card    card               // of this end, which the other may answer

	recovery recovery.Machine

	tableDirty   bool
	tableVersion int16
	heardVersion int16
	heardMutes   int8
	heardTracks  int8
	said         [2][]byte // what a rogue says again: see rogueTypes
}

// member is one of the two, with its process.
type member struct {
	here    bool // has not left
	online  bool // has a connection to the hub
	session int8
	tracks  int8
	mutes   int8
	used    Bounds
	lives   int8 // links so far
	carded  int8 // the latest session in which it has made a card
	card    card // that it has made in it, and no link has
	link    link
	notices []notice // from the hub, in order
}

// notice is what the hub says of the other.
type notice struct {
	kind    noticeKind
	session int8 // of the other, 0 for nobody
	behind  int8 // so many frames were on their way to the end already
	card    card // of the other
}

type noticeKind uint8

const (
	joined noticeKind = iota
	welcome
	byeLost
	byeLeft
)

var noticeNames = [...]string{"joined", "welcome", "bye{lost}", "bye{left}"}

// frame is a pair frame on its way.
type frame struct {
	exchange.Frame
	from, to int8 // sessions
	stale    bool
	via      exchange.Epoch // of the connection it goes by; zero: the hub
}

func (f *frame) same(g *frame) bool {
	return f.Seq == g.Seq && f.Ack == g.Ack && f.Epoch == g.Epoch && f.from == g.from && f.to == g.to && f.stale == g.stale && f.via == g.via
}

// World is one state of the model. Slices in it are never changed, only
// replaced, so that a copy of it is a clone; the exchanges are shared until
// one changes.
type World struct {
	cfg    *Config
	ends   [2]member
	x      [2]*exchange.Exchange
	own    [2]bool // x is not shared with another World
	hub    [2][]frame
	sees   [2]int8    // sessions that are at the hub, as it sees it
	inBand [2][]frame // by data channel
	cut    bool
	spent  int8 // bounded events so far

	byHub  bool // during one event: it was a frame that came by hub
	err    error
	marks  Mark
	script func(string) // told what happens, if not nil
	keep   bool         // frames that nobody will act on: a reader wants to see them dropped
	watch  *Observer
}

// New returns the first state of a model.
func New(cfg *Config) *World {
	w := &World{cfg: cfg}
	for i := range w.ends {
		w.ends[i] = member{here: true, session: 1, tracks: cfg.Tracks}
	}
	if cfg.Calls {
		calm := *cfg
		calm.Tracks, calm.Broken, calm.Cap, calm.Wild, calm.Hubless = 1, None, 8, false, false
		w.cfg = &calm
		for i := range w.ends {
			w.ends[i].tracks = 1
		}
		if err := w.Settle(); err != nil {
			w.err = err
		}
		w.cfg, w.marks = cfg, 0
		if cfg.Hubless {
			w.disconnect(0)
			w.disconnect(1)
			w.sees = [2]int8{}
		}
	}
	return w
}

// clone returns a World that goes its own way.
func (w *World) clone() *World {
	c := *w
	c.own = [2]bool{}
	w.own = [2]bool{}
	return &c
}

// exchange returns the end's exchange, to be changed.
func (w *World) exchange(i int) *exchange.Exchange {
	if !w.own[i] {
		w.own[i] = true
		w.x[i] = exchange.Restore(w.x[i].State())
	}
	return w.x[i]
}

func (w *World) epoch(i int) exchange.Epoch {
	if w.x[i] == nil {
		return exchange.Epoch{}
	}
	return w.x[i].Epoch()
}

func (w *World) breaks(r Rule) bool { return w.cfg.Broken == r }

func (w *World) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
		w.tell("!! %v", w.err)
	}
}

func (w *World) tell(format string, args ...any) {
	if w.script != nil {
		w.script(fmt.Sprintf(format, args...))
	}
}

// letter names an end.
func letter(i int) string { return string(rune('A' + i)) }

func with[T any](s []T, x T) []T { return append(slices.Clip(s), x) }

func without[T any](s []T, i int) []T {
	if len(s) == 1 {
		return nil
	}
	return slices.Concat(s[:i], s[i+1:])
}

// own names the n-th thing of its kind that end i makes in its epoch.
func (w *World) named(i int, n int8) name {
	e := w.epoch(i)
	by := int8(0)
	if e.By == letter(1) {
		by = 1
	}
	return name{w.ends[i].session, w.ends[i].lives, int8(e.Number), by, n}
}

// String returns, say, "2A#1": the first of epoch 2, begun by A.
func (n name) String() string {
	if n == (name{}) {
		return "none"
	}
	s := fmt.Sprintf("%d%s#%d", n.epoch, letter(int(n.by)), n.n)
	if n.session > 1 || n.life > 1 {
		s += fmt.Sprintf(" of session %d, link %d", n.session, n.life)
	}
	return s
}

// Mark is a set of situations worth reaching: a search that no longer reaches
// one has lost its teeth.
type Mark uint32

// The situations.
const (
	Staled        Mark = 1 << iota // a frame of an old session was answered with stale
	Corrected                      // and the answer told something new
	Slept                          // a link was put to sleep
	Woke                           // and came back
	TakenOver                      // a higher epoch of the other's was taken over
	Crossed                        // both began the same number, and one of them lost
	CameEarly                      // a frame came ahead of its turn
	CameAgain                      // a frame came again
	Stuck                          // an offer for the hub only waits while there is no hub
	Abandoned                      // and was given up with its epoch
	Waited                         // a description waited for ICE
	AskedMoot                      // an ask met an end without the turn
	BothPaths                      // the same frame went by both paths
	Moved                          // a connection was made over the one before
	MovedBoth                      // both began it
	Mended                         // ICE was restarted after a while without a path
	InVain                         // and again, because that found none
	OutOfRestarts                  // so often that the epoch was given up
	CameUpLate                     // the connection of an epoch before came up behind the next
	FoundDeaf                      // a new path was found to carry nothing
	Parted                         // the other's last words were waited for
	CardAnswered                   // an epoch began by a card
	marksEnd
)

// AllMarks is every Mark there is.
const AllMarks = marksEnd - 1

var markNames = [...]string{
	"staled", "corrected", "slept", "woke", "taken over", "crossed", "came early", "came again", "stuck", "abandoned",
	"waited", "asked in vain", "both paths", "moved", "both moved", "mended", "mended in vain", "out of restarts", "came up late", "found deaf", "parted", "card answered",
}

// String lists the situations.
func (m Mark) String() string {
	var names []string
	for i, n := range markNames {
		if m&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

func (w *World) reach(m Mark) { w.marks |= m }
