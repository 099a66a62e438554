package pairtest

// Kind is what happens.
type Kind uint8

// What may happen. Each up to Again happens as often, to each end, as the
// bounds allow; the others whenever they can.
const (
	Wish       Kind = iota // the end publishes a track
	Restart                // it restarts ICE
	Move                   // it looks for a new path without a hub
	Mute                   // it mutes or unmutes: its table changes
	Fail                   // something fatal: the epoch is given up
	Timeout                // its patience with a connection, or with a restart, ends
	NoPath                 // ICE gives up
	Leave                  // it leaves for good
	Reborn                 // its process dies and comes back, with the same id
	LoseHub                // its connection to the hub breaks
	HubRestart             // the hub forgets everything (counted at A)
	Cut                    // the path between the two breaks (counted at A)
	Gather                 // ICE finds a candidate
	Lose                   // a frame toward it is lost
	Repeat                 // a frame toward it arrives and will arrive again
	Deafen                 // its new path, which says that it is connected, carries nothing to it; without a hub, to neither end
	Rogue                  // it breaks the rules: says an answer or candidates once more, as new
	Again                  // the hub says joined again to both, and that this end was there first

	Join           // it enters the hub, again or for the first time
	Hear           // the hub's next notice of who is there arrives
	Receive        // a frame arrives by the hub
	ReceiveInBand  // a frame arrives by the data channel
	LoseInBand     // the data channel dies with its frames
	Resend         // what is unacknowledged is sent again
	Begin          // the pause after a failure is over
	SendCandidates // the batch is full
	StartICE       // ICE leaves the state new
	Connect        // ICE and the control channel are up
	Interrupted    // the end sees that the path is dead
	Mend           // and that it has been so for a while
	Look           // it looks whether anything arrives by a new path
	LoseOld        // the connection of an epoch before ends, its path being dead or the other end's closed
	LetGo          // those of epochs before end, their time being over
	ConnectOld     // the connection of an epoch before comes up, behind the next
	Part           // the time of the other's last words is over
	HubNotices     // the hub sees that the end is gone
	Heal           // the path works again

	kinds

	bounded = Join
)

var kindNames = [kinds]string{
	"publishes", "restarts ICE", "moves", "mutes", "fails", "loses patience", "finds no path", "leaves", "is reborn", "loses the hub", "hub restarts", "path cut",
	"gathers", "loses", "receives, not for the last time,", "is deaf", "repeats itself", "comes first in a room that moves",
	"joins", "hears", "receives", "receives in-band", "loses in-band", "sends again", "begins", "sends candidates", "starts ICE",
	"connects", "is interrupted", "mends the path", "looks for what arrives", "loses the old connection", "lets the old connection go", "connects the old connection", "parts", "is missed by the hub", "path heals",
}

// Bounds says how often each bounded Kind may happen to each end.
type Bounds [bounded]int8

// Config is one model: what may happen, and which rule is broken.
type Config struct {
	Name     string
	Bounds   Bounds
	Most     int8 // of bounded events in all; 0 is no limit
	Alone    bool // bounded events happen to A only
	Wild     bool // the hub loses and repeats without bound
	Reorder  int  // how many frames a frame may overtake at the hub
	Jumbled  bool // the hub's notices and frames overtake each other, as no hub should let them
	Cap      int  // frames in flight in one direction of a path; what comes on top is lost
	Lazy     bool // timers to send again, or to mend, are longer than any delay, and bare acks take no time
	SlowICE  bool // ICE starts some time after it could, not at once
	Channel  bool // frames go in-band once connected
	Calls    bool // begin with an established call of one track each way, not before the first join
	Hubless  bool // and then the hub goes for good
	Browsers int  // how many of the two, from A on, are as browsers are
	Tracks   int8 // published by each end from the start
	Cards    bool // a newcomer's first offer goes with its join
	Broken   Rule // the rule that nobody keeps
}

// Rule names what a Config may break, to see that the invariants need it.
type Rule uint8

// The rules.
const (
	None          Rule = iota
	Ask                // who needs the turn asks for it
	HandOver           // an offer gives the turn to whoever answers
	GrantTurn          // an idle holder that is asked grants
	EpochCheck         // a frame of a lower epoch is dropped
	SessionCheck       // a frame of another session is dropped
	Suppression        // a frame that arrived before is not acted on
	Order              // frames are acted on in their order
	AnswerID           // an answer whose id is not the outstanding offer's is dropped
	CandidateTag       // candidates of another ICE generation are dropped
	Patience           // a description waits until ICE has started on the last
	Retransmit         // what is unacknowledged is sent again
	RestartClears      // candidates of the generation that ends are forgotten
	Keep               // without a hub, a connection that works serves until the next is up
	KeepTwo            // and so does the one before it
	NextEpoch          // one epoch that fails is followed by another
	InTime             // a connection that does not come up in time is given up
	Watch              // whoever has a new path watches that something arrives by it
	KeepOld            // and keeps the old connections until then
	HubReturn          // the hub's return mends what it finds broken
	CardPassed         // the epoch of a card that is of no use is left out
)

// Event is one thing that happens to the end At; Frame says which of the
// frames toward it.
type Event struct {
	Kind  Kind
	At    uint8
	Frame uint8
}
