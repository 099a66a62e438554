// Package files decides how a file goes from one member to another (PROTOCOL.md section 4.6): what to offer, what to send
// next, where to go on after a connection was lost, and when to give up.
//
// A [Sender] and a [Receiver] are pure: no goroutine, clock, lock, file or network. Their driver opens the channels,
// reads and writes the bytes, and has the timers. Methods that return a frame return nil if there is nothing to send;
// a frame is sent over the current channel. Once End reports that it is over, the driver sends the last frame and closes
// the channel.
package files

import "time"

// What both ends keep to.
const (
	Label       = "noom.file" // of a channel that carries a file
	Prefix      = "noom."     // of labels that no application's channel may have
	ChunkSize   = 32768       // bytes in a chunk but the last
	Window      = 24          // chunks sent and not known to be written
	MaxSize     = 1 << 46     // bytes in a file
	MaxName     = 255         // bytes in a name
	MaxPending  = 16          // offers of a peer that are not decided on; files on their way to a peer
	MaxRunning  = 4           // files of a peer that come at a time
	MaxOver     = 64          // ended files of a peer that are remembered
	MaxSilences = 3           // channels that end without an answer, after which a sender gives up

	NoteTimeout  = 15 * time.Second // for the answer to an offer
	StallTimeout = 60 * time.Second // without news while connected
)

const haveEvery = 8 // chunks

// Code says why a file did not arrive.
type Code uint8

// The codes. Those of a cancel frame have the numbers of PROTOCOL.md.
const (
	None        Code = iota // it has arrived
	Declined                // the receiver's user does not want it
	Cancelled               // a user has ended it
	Changed                 // the file has changed while it was sent
	Failed                  // it cannot be read or written
	Busy                    // too many files at a time
	TooBig                  // the receiver takes no file of that size
	Stalled                 // nothing came for too long
	Broken                  // a rule was broken
	Unsupported             // the receiver does not know files; never sent
)

// End is how a file ended.
type End struct {
	Code   Code
	Remote bool // the other end has ended it
}

// phase is where one end of a file is.
type phase uint8

const (
	unconnected phase = iota // there is no channel
	offered                  // offer sent, no answer yet
	noted                    // the user decides
	running                  // accepted
	over
)
