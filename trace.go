package noom

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"noom/signal"
)

// TraceKind says what a [Trace] is about.
type TraceKind string

// The kinds of [Trace].
const (
	TraceSent     TraceKind = "sent"     // Message was put on its way
	TraceReceived TraceKind = "received" // Message has arrived, and its signature is valid
	TraceState    TraceKind = "state"    // Peer is now in State
	TraceNote     TraceKind = "note"     // Note says what was decided or observed
	TraceOver     TraceKind = "over"     // the Room is over, or Join has failed; the last Trace
)

// Trace is one thing that a Room did or observed; see [Config].Trace. Package noom/noomtest/transcript turns a sequence
// of them into text and diagrams.
type Trace struct {
	At     time.Time
	Room   string
	Self   Member
	Peer   Member // zero: none; it concerns the hub or the Room
	Kind   TraceKind
	InBand bool // the frame travels over the connection to the peer, not through the hub

	// Message is a copy without secrets: no token, no credentials of ICE servers. Its Body is nil unless
	// [Config].TraceBodies is set. Message is nil unless Kind is TraceSent or TraceReceived.
	Message *signal.Message
	// State is the state of Peer if Kind is TraceState.
	State PeerState
	// Note is for people to read, such as "epoch given up number=1 error=…".
	Note string
}

// tracer reports to Config.Trace what a room does. It may be called from anywhere.
type tracer struct {
	to     func(Trace) // nil: nothing is traced
	bodies bool
	room   string
	self   func() Member
}

func (t *tracer) emit(e Trace) {
	if t.to != nil {
		e.At, e.Room, e.Self = time.Now(), t.room, t.self()
		t.to(e)
	}
}

// frame traces a frame to or from peer, the zero Member for the hub.
func (t *tracer) frame(kind TraceKind, peer Member, inBand bool, m signal.Message) {
	if t.to == nil {
		return
	}
	copied := m
	copied.Token = ""
	copied.ICEServers = slices.Clone(m.ICEServers)
	for i := range copied.ICEServers {
		copied.ICEServers[i].Credential = ""
	}
	copied.Stamp(m.From) // drops the encoded bytes, which still have the secrets
	copied.Body = nil
	if m.Card != nil && !t.bodies {
		copied.Card = &signal.Card{} // there is one
	}
	if t.bodies {
		copied.Body = slices.Clone(m.Body)
	}
	t.emit(Trace{Peer: peer, Kind: kind, InBand: inBand, Message: &copied})
}

// note traces a decision about peer, the zero Member for the hub. args are as in slog; descriptions among them are
// left out.
func (t *tracer) note(peer Member, msg string, args ...any) {
	if t.to == nil {
		return
	}
	var note strings.Builder
	note.WriteString(msg)
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] != "sdp" && args[i+1] != nil {
			fmt.Fprintf(&note, " %v=%v", args[i], args[i+1])
		}
	}
	t.emit(Trace{Peer: peer, Kind: TraceNote, Note: note.String()})
}

// state traces a Peer's state, and why it is not connected.
func (t *tracer) state(peer Member, s PeerState, err error) {
	t.emit(Trace{Peer: peer, Kind: TraceState, State: s, Note: errorText(err)})
}

// over traces the end of the room.
func (t *tracer) over(err error) { t.emit(Trace{Kind: TraceOver, Note: errorText(err)}) }

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
