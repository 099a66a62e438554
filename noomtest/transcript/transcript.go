// Package transcript keeps what rooms report through [noom.Config].Trace and writes it down for
// people: as text, as lines of JSON, and as a Mermaid sequence diagram.
//
// Package noomtest makes one for each test. A program in production can keep
// one too, to look at when something went wrong:
//
//	record := transcript.New(10_000)
//	room, err := noom.Join(ctx, dialer, "lobby", &noom.Config{Trace: record.Record})
//	…
//	record.WriteJSON(file)
//
// and [Read] brings such a file back.
package transcript

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"noom"
	"noom/signal"
)

// Hub is what the hub is called in a transcript.
const Hub = "hub"

// Kind is the kind of a [Line].
type Kind string

// The kinds of a [Line].
const (
	Sent     Kind = "sent"     // Self has sent a frame to Peer
	Received Kind = "received" // Self has got a frame from Peer
	State    Kind = "state"    // Text is the state that Self sees Peer in
	Note     Kind = "note"     // Text is what Self decided or saw; Self is empty in what a test did
)

// Line is one entry of a [Transcript]. It holds no address, key or secret but
// what an error's text may say.
type Line struct {
	At   time.Duration `json:"at"`             // since the transcript began
	Room string        `json:"room,omitempty"` //
	Self string        `json:"self,omitempty"` // the member that reports
	Peer string        `json:"peer,omitempty"` // the other member; Hub for the hub
	Kind Kind          `json:"kind"`

	// Of frames.
	Type    signal.Type `json:"type,omitempty"`
	InBand  bool        `json:"inBand,omitempty"` // over the connection between the two, not by hub
	Number  int64       `json:"epoch,omitempty"`  // the epoch's number
	By      string      `json:"by,omitempty"`     // the member that began the epoch
	Seq     int64       `json:"seq,omitempty"`
	Ack     int64       `json:"ack,omitempty"`
	Session string      `json:"session,omitempty"` // the sender's, shortened

	Text string `json:"text,omitempty"` // what is in the frame, or the note
}

// Transcript keeps the last lines of what was recorded. Its methods may be
// called from anywhere at any time.
type Transcript struct {
	start time.Time
	limit int

	mu      sync.Mutex
	lines   []Line
	dropped int
	names   map[string]string // by member id
}

// New returns an empty Transcript that begins now and keeps the last limit
// lines; 0: 100,000.
func New(limit int) *Transcript {
	if limit <= 0 {
		limit = 100_000
	}
	return &Transcript{start: time.Now(), limit: limit, names: make(map[string]string)}
}

// Name says what the member with that id is called, in the lines recorded
// from now on. Without it a member goes by its nickname, with the beginning
// of its id where two share one.
func (t *Transcript) Name(id, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names[id] = name
}

// Record adds what a room reports: it is made for [noom.Config].Trace.
func (t *Transcript) Record(e noom.Trace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := Line{At: e.At.Sub(t.start), Room: e.Room, Self: t.nameOf(e.Self), Peer: Hub, Text: e.Note}
	if e.Peer.ID != "" {
		l.Peer = t.nameOf(e.Peer)
	}
	switch e.Kind {
	case noom.TraceSent, noom.TraceReceived:
		l.Kind = Received
		if e.Kind == noom.TraceSent {
			l.Kind = Sent
		}
		t.frame(&l, e)
	case noom.TraceState:
		l.Kind, l.Text = State, e.State.String()
		if e.Note != "" {
			l.Text += ": " + e.Note
		}
	case noom.TraceOver:
		l.Kind, l.Text = Note, "the room is over"
		if e.Note != "" {
			l.Text += ": " + e.Note
		}
	case noom.TraceNote:
		l.Kind = Note
	default:
		l.Kind = Note
	}
	t.add(l)
}

// Note adds a line of the recorder's own: what a test did.
func (t *Transcript) Note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(Line{At: time.Since(t.start), Kind: Note, Text: fmt.Sprintf(format, args...)})
}

// Lines returns what is kept, oldest first.
func (t *Transcript) Lines() []Line {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}

// add needs t.mu.
func (t *Transcript) add(l Line) {
	if len(t.lines) >= t.limit {
		n := max(1, t.limit/10) // not one by one: that would move all lines each time
		t.lines = append(t.lines[:0], t.lines[n:]...)
		t.dropped += n
	}
	t.lines = append(t.lines, l)
}

// nameOf needs t.mu.
func (t *Transcript) nameOf(m noom.Member) string {
	if name, ok := t.names[m.ID]; ok {
		return name
	}
	name := m.Name
	for id, taken := range t.names {
		if taken == name && id != m.ID {
			name = ""
		}
	}
	if name == "" || name == Hub {
		name = strings.TrimSpace(m.Name + " " + m.ID[:min(4, len(m.ID))])
	}
	t.names[m.ID] = name
	return name
}

// frame fills in what is worth knowing of a frame. It needs t.mu.
func (t *Transcript) frame(l *Line, e noom.Trace) {
	m := e.Message
	l.Type, l.InBand, l.Seq, l.Ack = m.Type, e.InBand, m.Seq, m.Ack
	l.Session = m.Sessions[0][:min(4, len(m.Sessions[0]))]
	if m.Epoch.By != "" {
		l.Number, l.By = m.Epoch.Number, t.nameOf(noom.Member{ID: m.Epoch.By})
	}
	switch m.Type {
	case signal.TypeJoin:
		l.Text = strconv.Quote(e.Room)
	case signal.TypeJoined:
		l.Text = "with nobody"
		if len(m.Members) > 0 {
			names := make([]string, len(m.Members))
			for i := range m.Members {
				names[i] = t.nameOf(m.Members[i])
			}
			l.Text = "with " + strings.Join(names, ", ")
		}
	case signal.TypeWelcome:
		l.Text = t.nameOf(*m.Member)
	case signal.TypeBye:
		l.Text = string(m.Reason)
		if m.From != "" {
			l.Text = t.nameOf(noom.Member{ID: m.From}) + " " + l.Text
		}
	case signal.TypeRename, signal.TypeRenamed:
		l.Text = strconv.Quote(m.Name)
	case signal.TypeChat:
		l.Text = strconv.Quote(m.Text)
		if m.From != "" {
			l.Text = t.nameOf(noom.Member{ID: m.From}) + ": " + l.Text
		}
	case signal.TypeError:
		l.Text = m.Err().Error()
	default:
		l.Text = body(m)
	}
}

// body describes a pair frame's body, if it was recorded.
func body(m *signal.Message) string {
	switch m.Type {
	case signal.TypeOffer, signal.TypeAnswer:
		var d signal.Description
		if m.Body == nil || signal.DecodeBody(m.Body, &d) != nil {
			return ""
		}
		return strings.TrimSpace(strconv.FormatInt(d.ID, 10) + " " + tracks(d.Table))
	case signal.TypeTable:
		var b signal.TableBody
		if m.Body == nil || signal.DecodeBody(m.Body, &b) != nil {
			return ""
		}
		return tracks(b.Table)
	case signal.TypeWants:
		var b signal.WantsBody
		if m.Body == nil || signal.DecodeBody(m.Body, &b) != nil {
			return ""
		}
		return wants(b.Wants)
	case signal.TypeCandidates:
		var c signal.Candidates
		if m.Body == nil || signal.DecodeBody(m.Body, &c) != nil {
			return ""
		}
		return strconv.Itoa(len(c.Candidates))
	default:
		return ""
	}
}

// wants lists tracks by id with the heights that are wanted, as (a1 180, b2 0).
func wants(heights map[string]int) string {
	if len(heights) == 0 {
		return ""
	}
	list := make([]string, 0, len(heights))
	for _, id := range slices.Sorted(maps.Keys(heights)) {
		list = append(list, id+" "+strconv.Itoa(heights[id]))
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// tracks lists a table's rows by name, as (camera, microphone muted).
func tracks(table signal.Table) string {
	if len(table.Tracks) == 0 {
		return ""
	}
	var names []string
	for _, row := range table.Tracks {
		name := row.Name
		if row.Muted {
			name += " muted"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return "(" + strings.Join(names, ", ") + ")"
}
