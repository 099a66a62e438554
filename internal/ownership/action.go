package ownership

import "github.com/go-json-experiment/json/jsontext"

// Kind is what an [Action] does.
type Kind uint8

// The actions. A driver carries out those of one call in order, and what comes of that behind them.
const (
	// Send: publish Message to the hub To.
	Send Kind = iota + 1

	// At the edge, about its own connections Conns.

	// Enter: they are members.
	Enter
	// Join: they are members still, in a room that has moved: joined comes again, with Roster and Place.
	Join
	// Again: the room has not decided; Body says what it wants, a proof or a later request.
	Again
	// Deliver: send them Body; they end after it if Last.
	Deliver
	// End: they end for Reason, of which they are to be told.
	End
	// Pause: read nothing more from the members, because the room has no owner.
	Pause
	// Resume: read from the members; not before the first.
	Resume

	// At the owner, about the room step.

	// Open: make it, with State and with Seats in that order.
	Open
	// Adopt: it remembers State from now on; the members learn of what has changed.
	Adopt
	// Judge: Seat asks to be let in with the request Body.
	Judge
	// Readmit: Seat was let in by an owner before; it is not refused for the limit, and sits last.
	Readmit
	// Remind: Seat is attached anew. What was delivered to it may be lost, and joined does not say all of that.
	Remind
	// Step: it takes the frame Body from the connection Seat.
	Step
	// Leave: the connection Seat is gone for Reason.
	Leave
	// Close: forget it. The room is over, or another hub owns it.
	Close
)

// Action is something the driver has to do.
type Action struct {
	Kind    Kind
	To      string   // of Send
	Message *Message // of Send
	Conns   []int64
	Roster  []jsontext.Value // of Join: all members, in the order of seats
	Place   int              // of Join: how many sit before it
	Last    bool             // of Deliver
	Reason  string           // of End, Leave
	Body    []byte
	State   State // of Open, Adopt
	Seats   []Seat
	Seat    Seat
}

// The reasons of an End that come from here.
const (
	ReasonRestart = "restart" // it is in the room twice, and this one is the older: dial again
	ReasonKicked  = "kicked"
	ReasonFailed  = "failed" // there was no owner for too long
	ReasonLost    = "lost"   // of a Leave
)
