package link

import (
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/data"
	"noom/internal/diagnose"
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/internal/inbound"
	"noom/internal/recovery"
	"noom/signal"
)

// Host is the room of a link, as far as the link needs it. Its methods are called from the
// link's loop, but for Loud and Spawn, which may be called from anywhere, and wait
// for nothing.
type Host interface {
	// Drop asks the room to let the peer go: the hub has lost it, and its connection is dead.
	Drop()
	// Left reports that the link has ended because the peer has said goodbye.
	Left()
	// Reborn reports that the peer itself says that it runs a new session.
	Reborn(session string)
	// QueueUp asks for a turn to build the first connection: Admit. Yield gives it back.
	QueueUp()
	Yield()

	// Online reports whether there is a hub.
	Online() bool
	// AskHub asks the hub for a sign of life, AskServers for new ICE servers.
	AskHub()
	AskServers()
	// SendHub puts a frame to the peer on its way by hub, if there is one.
	SendHub(m signal.Message)

	// NewAPI returns what a connection within these bounds is made by.
	NewAPI(bounds *conduct.Guard, checks *conduct.Pacer) (*webrtc.API, error)
	// Servers returns the ICE servers to use now. They are not to be changed.
	Servers() *iceservers.Set
	// Refusal returns what a TURN server has refused since then, nil if none has.
	Refusal(since time.Time) *diagnose.Refusal
	// WatchNetwork is called when there is a connection for which the network is to be watched.
	WatchNetwork()
	// Loud is called for each packet that is loud enough to be speech.
	Loud()
	// Spawn runs f, and makes the end of the room wait for it.
	Spawn(f func())

	// Frame traces a frame from or to the peer, Note a decision, State the peer's state.
	Frame(sent, inBand bool, m signal.Message)
	Note(msg string, args ...any)
	State(s recovery.Peer, err error)
}

// Report takes what an application shall see. Its methods only queue it: a lock is held
// meanwhile, so that nothing but data comes after Depart. taken is to be called when the
// application has it.
type Report interface {
	StateChanged(s recovery.Peer, err error)
	TracksChanged(d inbound.Diff)
	SenderRefused(s *fanout.Sender, err error)
	ChannelOpened(c *data.Channel, taken func())
	DataReceived(payload []byte, taken func())
}
