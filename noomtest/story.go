package noomtest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"noom"
	"noom/signal"
)

const (
	// detection is how long a connection is quiet before it counts as interrupted, so that a path has died so long before.
	detection = 4 * time.Second
	// disorder is how far traces may be from their order, because several goroutines report them.
	disorder = time.Second
	// mostMembers and mostSteps bound a story.
	mostMembers, mostSteps = 256, 100_000
)

// A step is something that happens in a story.
type step struct {
	at   time.Duration // since the beginning
	who  int           // which member; 0 is the one whose trace it is
	do   string        // one of the words below
	text string        // a name, what is said, or a track's kind and name with a space between
	id   string        // of a track
}

// What happens in a step.
const (
	doJoin    = "join" // text: kinds of tracks, with spaces between
	doLeave   = "leave"
	doKick    = "kick"
	doCut     = "cut" // the path between who and member 0
	doHeal    = "heal"
	doOffline = "offline" // who's way to the hub
	doOnline  = "online"
	doRename  = "rename"
	doChat    = "chat"
	doPublish = "publish"
	doEnd     = "unpublish"
	doMute    = "mute"
	doUnmute  = "unmute"
)

// actor is what is known of a member while a trace is read.
type actor struct {
	id, host, name string
	present        bool
	away           bool // the hub has lost it
	cut            bool
	version        int64
	tracks         map[string]trackRow // by id
}

// trackRow is a row of a table.
type trackRow struct {
	ID, Name, Kind string
	Muted          bool
}

// reader turns a trace into steps.
type reader struct {
	began   time.Time
	actors  []*actor
	steps   []step
	skipped map[string]int // what cannot be done again, by what
	entries int            // joined frames so far
}

func (r *reader) add(at time.Time, who int, do, text, id string) {
	r.steps = append(r.steps, step{max(at.Sub(r.began), 0), who, do, text, id})
}

// actor returns which member has an id, a new one if none has.
func (r *reader) actor(m noom.Member) (int, error) {
	i := slices.IndexFunc(r.actors, func(a *actor) bool { return a.id == m.ID })
	if i >= 0 {
		return i, nil
	}
	if len(r.actors) == mostMembers {
		return 0, fmt.Errorf("it has more than %d members", mostMembers)
	}
	host := cmp.Or(m.Name, "member")
	if taken := func(a *actor) bool { return a.host == host }; host == HubName || host == TURNName || slices.ContainsFunc(r.actors, taken) {
		host += " " + m.ID[:min(len(m.ID), 6)]
	}
	r.actors = append(r.actors, &actor{id: m.ID, host: host, name: m.Name, tracks: make(map[string]trackRow)})
	return len(r.actors) - 1, nil
}

// readStory returns what happened according to a trace. Its errors say what is wrong with that.
func readStory(trace []noom.Trace) (*reader, error) {
	if len(trace) == 0 {
		return nil, errors.New("it is empty; set Config.Trace before Join")
	}
	latest := trace[0].At
	for i, e := range trace {
		switch {
		case e.Self.ID == "" || e.At.IsZero():
			return nil, fmt.Errorf("entry %d has no Self or no At", i)
		case e.Self.ID != trace[0].Self.ID || e.Self.Session != trace[0].Self.Session || e.Room != trace[0].Room:
			return nil, fmt.Errorf("entry %d is of another Room than the first: give the traces of one alone", i)
		case latest.Sub(e.At) > disorder:
			return nil, fmt.Errorf("entry %d is %v before one that precedes it", i, latest.Sub(e.At).Round(time.Millisecond))
		case (e.Kind == noom.TraceSent || e.Kind == noom.TraceReceived) && e.Message == nil:
			return nil, fmt.Errorf("entry %d, a frame, has no Message", i)
		}
		if e.At.After(latest) {
			latest = e.At
		}
	}
	sorted := slices.Clone(trace)
	slices.SortStableFunc(sorted, func(a, b noom.Trace) int { return a.At.Compare(b.At) })
	first := slices.IndexFunc(sorted, func(e noom.Trace) bool { return e.Kind == noom.TraceSent && e.Message.Type == signal.TypeJoin })
	if first != 0 {
		return nil, errors.New("its beginning is missing: the first entry is not the join that was sent")
	}
	r := &reader{began: sorted[0].At, skipped: make(map[string]int)}
	if _, err := r.actor(noom.Member{ID: sorted[0].Self.ID, Name: sorted[0].Message.Name}); err != nil {
		return nil, err
	}
	for i, e := range sorted {
		if err := r.read(e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		if len(r.steps) > mostSteps {
			return nil, fmt.Errorf("more than %d things happen in it", mostSteps)
		}
	}
	if r.entries == 0 {
		return nil, errors.New("the join has failed, so there is nothing to replay")
	}
	slices.SortStableFunc(r.steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return r, nil
}

// read takes one entry.
func (r *reader) read(e noom.Trace) error {
	switch e.Kind {
	case noom.TraceSent:
		return r.sent(e)
	case noom.TraceReceived:
		if e.Message.Type.Pair() {
			return r.table(e, e.Peer)
		}
		return r.received(e)
	case noom.TraceState:
		return r.state(e)
	case noom.TraceNote:
		if e.Peer.ID == "" && strings.HasPrefix(e.Note, "signaling lost") && r.actors[0].present && !r.actors[0].away {
			r.actors[0].away = true
			r.add(e.At, 0, doOffline, "", "")
		}
	case noom.TraceOver:
		if r.actors[0].present {
			r.actors[0].present = false
			r.add(e.At, 0, doLeave, "", "")
		}
	default:
		return fmt.Errorf("there is no kind %q of trace", e.Kind)
	}
	return nil
}

// sent takes a frame of the member whose trace it is.
func (r *reader) sent(e noom.Trace) error {
	self, m := r.actors[0], e.Message
	switch m.Type {
	case signal.TypeJoin:
		switch {
		case !self.present:
			self.present = true
			r.add(e.At, 0, doJoin, kindsOf(m.Sends), "")
		case self.away:
			self.away = false
			r.add(e.At, 0, doOnline, "", "")
		}
	case signal.TypeBye:
		if self.present {
			self.present = false
			r.add(e.At, 0, doLeave, "", "")
		}
	case signal.TypeRename:
		r.add(e.At, 0, doRename, m.Name, "")
	case signal.TypeChat:
		r.add(e.At, 0, doChat, m.Text, "")
	case signal.TypeLock, signal.TypeUnlock, signal.TypeKick, signal.TypeMute, signal.TypeClose:
		r.skipped[string(m.Type)]++
	default:
		if m.Type.Pair() {
			return r.table(e, e.Self)
		}
	}
	return nil
}

// received takes a frame of the hub.
func (r *reader) received(e noom.Trace) error {
	m := e.Message
	switch m.Type { //nolint:exhaustive // the others change nothing in a story
	case signal.TypeJoined:
		return r.joined(e)
	case signal.TypeWelcome:
		if m.Member == nil {
			return errors.New("a welcome has no member")
		}
		return r.entered(e.At, *m.Member, kindsOf(m.Sends))
	case signal.TypeBye:
		return r.bye(e)
	case signal.TypeRenamed, signal.TypeChat:
		who := slices.IndexFunc(r.actors, func(a *actor) bool { return a.id == m.From })
		switch {
		case who <= 0: // our own are in what was sent
		case m.Type == signal.TypeChat:
			r.add(e.At, who, doChat, m.Text, "")
		default:
			r.add(e.At, who, doRename, m.Name, "")
		}
	case signal.TypeLocked, signal.TypeUnlocked, signal.TypeMute:
		if m.From != e.Self.ID { // else it was counted when it was sent
			r.skipped[string(m.Type)]++
		}
	}
	return nil
}

// joined takes who is in the room.
func (r *reader) joined(e noom.Trace) error {
	if e.Message.Self == nil {
		return errors.New("a joined has no self")
	}
	r.entries++
	own := r.steps
	if r.entries == 1 { // they were there before
		e.At, r.steps = r.began, nil
	}
	for _, m := range e.Message.Members {
		if err := r.entered(e.At, m, ""); err != nil {
			return err
		}
	}
	if r.entries == 1 {
		r.steps = append(r.steps, own...)
	}
	for who, a := range r.actors {
		here := slices.ContainsFunc(e.Message.Members, func(m noom.Member) bool { return m.ID == a.id })
		if who > 0 && a.present && !a.away && !here {
			a.away = true
			r.add(e.At, who, doOffline, "", "")
		}
	}
	return nil
}

// entered takes a member that has entered, or come back.
func (r *reader) entered(at time.Time, m noom.Member, kinds string) error {
	who, err := r.actor(m)
	if err != nil {
		return err
	}
	a := r.actors[who]
	switch {
	case !a.present:
		*a = actor{id: a.id, host: a.host, name: m.Name, present: true, tracks: make(map[string]trackRow)}
		r.add(at, who, doJoin, kinds, "")
	case a.away:
		a.away = false
		r.add(at, who, doOnline, "", "")
	}
	return nil
}

// bye takes a member that has gone.
func (r *reader) bye(e noom.Trace) error {
	m := e.Message
	who := slices.IndexFunc(r.actors, func(a *actor) bool { return a.id == m.From })
	if who < 0 || !r.actors[who].present {
		return nil
	}
	a := r.actors[who]
	switch m.Reason {
	case signal.ReasonRestart: // what follows is a loss like any
	case signal.ReasonLost:
		if !a.away {
			a.away = true
			r.add(e.At, who, doOffline, "", "")
		}
	case signal.ReasonKicked:
		a.present = false
		r.add(e.At, who, doKick, "", "")
	default:
		if m.Reason != signal.ReasonLeft {
			r.skipped["bye "+string(m.Reason)]++
		}
		a.present = false
		r.add(e.At, who, doLeave, "", "")
	}
	return nil
}

// state takes the state of the connection to a peer.
func (r *reader) state(e noom.Trace) error {
	who := slices.IndexFunc(r.actors, func(a *actor) bool { return a.id == e.Peer.ID })
	if who <= 0 {
		return fmt.Errorf("it is about the connection to %q, who has not entered", e.Peer.ID)
	}
	a := r.actors[who]
	switch e.State { //nolint:exhaustive // the others need no doing
	case noom.PeerInterrupted, noom.PeerFailed:
		if !a.cut && a.present {
			a.cut = true
			r.add(e.At.Add(-detection), who, doCut, "", "")
		}
	case noom.PeerConnected:
		if a.cut {
			a.cut = false
			r.add(e.At, who, doHeal, "", "")
		}
	}
	return nil
}

// table takes the tracks of a member from a frame of it, if that has a table.
func (r *reader) table(e noom.Trace, of noom.Member) error {
	if e.Message.Body == nil {
		return nil
	}
	var body struct {
		Table *struct {
			Version int64
			Tracks  map[string]trackRow
		}
	}
	if err := json.Unmarshal(e.Message.Body, &body); err != nil {
		return fmt.Errorf("the body of %q: %w", e.Message.Type, err)
	}
	who := slices.IndexFunc(r.actors, func(a *actor) bool { return a.id == of.ID })
	if who < 0 || body.Table == nil || !r.actors[who].present || body.Table.Version == 0 {
		return nil
	}
	a := r.actors[who]
	if who > 0 && body.Table.Version <= a.version { // our own tables have versions for each peer
		return nil
	}
	a.version = body.Table.Version
	rows := make(map[string]trackRow)
	for _, mid := range slices.Sorted(maps.Keys(body.Table.Tracks)) {
		row := body.Table.Tracks[mid]
		rows[row.ID] = row
		was, there := a.tracks[row.ID]
		if !there {
			r.add(e.At, who, doPublish, row.Kind+" "+row.Name, row.ID)
		}
		if row.Muted != was.Muted {
			r.add(e.At, who, map[bool]string{true: doMute, false: doUnmute}[row.Muted], "", row.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(a.tracks)) {
		if _, stays := rows[id]; !stays {
			r.add(e.At, who, doEnd, "", id)
		}
	}
	a.tracks = rows
	return nil
}

// kindsOf returns the kinds of what a join says it sends, with spaces between.
func kindsOf(sends []string) string {
	kinds := make([]string, len(sends))
	for i, s := range sends {
		kinds[i], _, _ = strings.Cut(s, "/")
	}
	return strings.Join(kinds, " ")
}
