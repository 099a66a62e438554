package data

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"noom/signal"
)

// What may wait in a lane. The bounds are above what credit lets an honest peer leave
// there, but for thousands of long topics, of which the last wait for room. They are needed
// because of a peer that acknowledges what it has not received, or whose SCTP takes nothing.
const (
	maxRoom     = 2 * signal.MaxUnacked // bytes
	answerBatch = 64                    // acknowledgements; at most two batches wait
	maxUntaken  = 3 * MaxUnacked        // frames that have arrived and wait for the loop; a message may have two
)

// maxChannels bounds the channels that a peer may have opened at a time, and those that
// are refused before it counts as a flood.
const maxChannels = 64

// maxOurs bounds the channels that we have opened and that are not shut, if some of them are about to be. A page may
// learn that they are later than we do, and until then counts them together with those that take their place.
const maxOurs = maxChannels / 2

// Lane carries the stream over one connection.
type Lane struct {
	dc      carrier // immutable, and so is control
	control *webrtc.DataChannel

	untaken atomic.Int32 // frames that arrived and wait for the loop

	// Owned by the link's loop.
	open     bool
	full     bool       // something waits for room
	written  uint32     // number of the last message written
	pieces   uint32     // number of the last piece written
	pieced   bool       // a piece was written
	probed   bool       // we have asked whether anything has arrived, to learn whether the peer knows pieces
	given    int64      // bytes given to dc
	answers  answerPace // of acknowledgements, both kinds
	asked    bool       // we have asked whether everything has arrived
	channels []*Channel
	refused  int // channels that the peer opened
}

// carrier is what a lane needs of its data channel.
type carrier interface {
	Send(frame []byte) error
	BufferedAmount() uint64
	SetBufferedAmountLowThreshold(bytes uint64)
}

// NewLane returns a lane that carries the stream over dc. control is another channel of the
// same connection.
func NewLane(dc carrier, control *webrtc.DataChannel) *Lane { return &Lane{dc: dc, control: control} }

// Came counts a frame for Stream.Take. It reports false if the peer floods us. From anywhere.
func (l *Lane) Came() bool { return l.untaken.Add(1) <= maxUntaken }

// IsOpen reports whether Stream.Open was called.
func (l *Lane) IsOpen() bool { return l.open }

// give hands a frame to the data channel.
func (l *Lane) give(frame []byte) error {
	l.given += int64(len(frame))
	return l.dc.Send(frame)
}

// room reports whether there is room for one more message.
func (l *Lane) room() bool { return l.orFull(func() bool { return l.dc.BufferedAmount() < maxRoom }) }

// mayAnswer reports whether one more acknowledgement may be sent.
func (l *Lane) mayAnswer() bool {
	return l.orFull(func() bool { return l.answers.step(l.given, l.given-int64(l.dc.BufferedAmount())) })
}

// orFull returns what has reports. If that is false, the channel reports when it has sent everything.
func (l *Lane) orFull(has func() bool) bool {
	if has() {
		return true
	}
	l.setFull(true)
	return has() // the channel may have sent everything in between
}

// setFull has the channel report that it has sent everything, or not report it: pion begins a goroutine for each report.
func (l *Lane) setFull(full bool) {
	l.full = full
	if full {
		l.dc.SetBufferedAmountLowThreshold(0)
	} else {
		l.dc.SetBufferedAmountLowThreshold(math.MaxUint64)
	}
}

// answerPace holds acknowledgements back while earlier ones wait to be sent. Nothing is
// lost, because a later one covers what an earlier one does.
type answerPace struct {
	batch int   // how many of the latest batch were given to the channel
	begun int64 // how many bytes the channel had been given with the first of them
}

// step reports whether another one may go to a channel that was given this many
// bytes and has sent this many of them.
func (p *answerPace) step(given, sent int64) bool {
	if p.batch == answerBatch && sent >= p.begun {
		p.batch = 0
	}
	if p.batch == answerBatch {
		return false
	}
	if p.batch == 0 {
		p.begun = given + frameHead
	}
	p.batch++
	return true
}

// NewChannel wraps a channel that the peer has opened, before its first message can
// arrive. Stream.Opened takes it. From anywhere.
func (l *Lane) NewChannel(dc *webrtc.DataChannel) *Channel {
	return newChannel(dc, l.control, true)
}

// Add wraps a channel that our application has opened.
func (l *Lane) Add(dc *webrtc.DataChannel) *Channel {
	c := newChannel(dc, l.control, false)
	l.dropEnded()
	l.channels = append(l.channels, c)
	return c
}

// Closing returns a channel that has to be shut before we open another one: the peer counts those of ours whose end it
// has yet to learn of. nil: none has to.
func (l *Lane) Closing() (first *Channel) {
	l.dropEnded()
	ours := 0
	for _, c := range l.channels {
		if c.theirs {
			continue
		}
		if ours++; first == nil && c.over() {
			first = c
		}
	}
	if ours < maxOurs {
		return nil
	}
	return first
}

// Channels returns the channels that may still have something under way.
func (l *Lane) Channels() []*Channel { return slices.Clone(l.channels) }

// Lose ends all channels with their connection.
func (l *Lane) Lose() {
	for _, c := range l.channels {
		c.lose()
	}
}

// dropEnded forgets the channels that no longer have anything under way.
func (l *Lane) dropEnded() { l.channels = slices.DeleteFunc(l.channels, (*Channel).isShut) }

// opened counts the channels that the peer has opened.
func (l *Lane) opened() (n int) {
	for _, c := range l.channels {
		if c.theirs {
			n++
		}
	}
	return n
}

// Verdict is what becomes of a channel that the peer has opened.
type Verdict uint8

// The verdicts.
const (
	Taken   Verdict = iota // the application gets it
	Refused                // it has to be closed
	Floods                 // the peer has opened too many that were refused
)

// Opened takes a channel that the peer has opened over a lane. Refused channels count
// too, because pion keeps a channel until the peer answers that it is closed.
func (s *Stream) Opened(lane *Lane, c *Channel) Verdict {
	lane.dropEnded()
	// Channels that came and went unseen still hold what was sent in them.
	if max(lane.opened(), s.unseen) >= maxChannels || len(c.Label()) > signal.MaxName {
		if lane.refused++; lane.refused > maxChannels {
			return Floods
		}
		return Refused
	}
	lane.channels = append(lane.channels, c)
	s.unseen++
	return Taken
}

// Seen notes that the application has got a channel. The link may have been asleep in between.
func (s *Stream) Seen() { s.unseen = max(s.unseen-1, 0) }
