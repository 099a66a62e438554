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
	"noom/internal/payloads"
	"noom/internal/quality"
	"noom/internal/recovery"
	"noom/internal/repair"
	"noom/internal/traffic"
	"noom/signal"
)

// Host is what a link needs of its room. The link's loop calls its methods; Loud and Spawn may be called from anywhere.
// None of them waits, except for user code that
// Config.Trace and slog handlers are.
type Host interface {
	// Drop asks the room to drop the peer: the hub has lost it, and its connection is dead.
	Drop()
	// Left reports that the link has ended because the peer has said goodbye.
	Left()
	// Reborn reports that the peer says itself that it runs a new session.
	Reborn(session string)
	// QueueUp asks for a turn to build the first connection, which Admit grants. Yield gives it back.
	QueueUp()
	Yield()

	// Online reports whether there is a hub.
	Online() bool
	// AskHub asks the hub for a sign of life, AskServers for new ICE servers.
	AskHub()
	AskServers()
	// SendHub sends a frame to the peer through the hub, if there is one.
	SendHub(m signal.Message)

	// SharesReports reports whether pion has to read all that peers report.
	SharesReports() bool
	// NewAPI returns the API with which to make a connection that has these hooks.
	NewAPI(h Hooks) (*webrtc.API, error)
	// Servers returns the ICE servers to use now. The link must not change them.
	Servers() *iceservers.Set
	// Refusal returns the latest refusal of a TURN server since then, nil if there is none.
	Refusal(since time.Time) *diagnose.Refusal
	// WatchNetwork is called when there is a connection, so that the room watches the network.
	WatchNetwork()
	// Loud is called for each packet that is loud enough to be speech.
	Loud()
	// WantsChanged reports that Wanted may return something else for our tracks.
	WantsChanged()
	// Spawn runs f, and makes the end of the room wait for it.
	Spawn(f func())

	// Frame traces a frame from or to the peer, Note a decision, State logs and traces the state of the peer.
	Frame(sent, inBand bool, m signal.Message)
	Note(msg string, args ...any)
	State(s recovery.Peer, err error)
}

// Hooks are what one connection has of its own inside pion.
type Hooks struct {
	Guard   *conduct.Guard    // bounds what the peer can make pion keep
	Checks  *conduct.Pacer    // paces connectivity checks
	Packets *payloads.Packets // translates the numbers of formats
	Repair  *repair.Asker     // asks for what was lost
	Answers *repair.Answerer  // sends again what the peer asks for
	Traffic *traffic.Control  // numbers and paces what is sent
	Checked func()            // called for each check of the peer that has our credentials
}

// Report takes what the application is to see. Its methods only queue it. They must not call the link: it holds its lock
// during all calls but DataReceived, Asked and the two for state, so that only these come after Depart. taken is to be called
// when the application has taken it. A question that is asked has an end of its own.
type Report interface {
	StateChanged(s recovery.Peer, err error)
	QualityChanged(q quality.Quality)
	TracksChanged(d inbound.Diff)
	SenderRefused(s *fanout.Sender, err error)
	ChannelOpened(c *data.Channel, taken func())
	DataReceived(topic string, payload []byte, taken func())
	// AsideOpened is called when there is another connection for frames beside the messages, AsideReceived for each frame.
	AsideOpened()
	AsideReceived(kind data.AsideKind, frame []byte)
	Asked(q *data.Question)
}
