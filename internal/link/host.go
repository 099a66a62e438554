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

// Host is what a link needs of its room. Its methods are called from the link's loop, except
// SpeechHeard and Spawn, which may be called from anywhere. None of them waits.
type Host interface {
	// Drop asks the room to drop the peer, because the hub has lost it and its connection is dead.
	Drop()
	// Left reports that the link has ended because the peer has said goodbye.
	Left()
	// Reborn reports that the peer itself has announced a new session.
	Reborn(session string)
	// QueueUp asks for our turn to build the first connection; Link.Admit reports it. Yield
	// gives it back.
	QueueUp()
	Yield()

	// Online reports whether there is a hub.
	Online() bool
	// AskHub asks the hub for a sign of life, AskServers for new ICE servers.
	AskHub()
	AskServers()
	// SendHub sends a frame to the peer by hub, if there is one.
	SendHub(m signal.Message)

	// NewAPI returns the API that makes a connection within these bounds.
	NewAPI(bounds *conduct.Guard, checks *conduct.Pacer) (*webrtc.API, error)
	// Servers returns the ICE servers to use now. The link must not change them.
	Servers() *iceservers.Set
	// Refusal returns a TURN server's refusal since then, or nil if there was none.
	Refusal(since time.Time) *diagnose.Refusal
	// WatchNetwork is called when there is a connection that makes watching the network worthwhile.
	WatchNetwork()
	// SpeechHeard is called for each packet that is loud enough to be speech.
	SpeechHeard()
	// Spawn runs f, and makes the end of the room wait for it.
	Spawn(f func())

	// Frame traces a frame from or to the peer, Note traces a decision, and State the peer's state.
	Frame(sent, inBand bool, m signal.Message)
	Note(msg string, args ...any)
	State(s recovery.Peer, err error)
}

// Report takes what the application sees. Its methods only queue it, because they are called
// under a lock; the lock ensures that only data comes after Depart. The receiver calls taken
// when the application has taken the item.
type Report interface {
	StateChanged(s recovery.Peer, err error)
	TracksChanged(d inbound.Diff)
	SenderRefused(s *fanout.Sender, err error)
	ChannelOpened(c *data.Channel, taken func())
	DataReceived(payload []byte, taken func())
}
