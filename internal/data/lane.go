package data

import (
	"slices"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"noom/signal"
)

// What may wait in a lane, above what credit lets an honest peer leave there: one
// that takes what it has not received, or whose SCTP lets nothing in, would have
// more and more wait.
const (
	maxRoom     = 2 * signal.MaxUnacked // bytes
	answerBatch = 64                    // acknowledgements; at most two batches wait
	maxUntaken  = 2 * MaxUnacked        // frames that have come and wait for the loop
)

const maxChannels = 64 // that a peer may have opened at a time, and again that are refused

// Lane is the share of one connection.
type Lane struct {
	dc, control *webrtc.DataChannel // immutable

	untaken atomic.Int32 // frames that came and wait for the loop

	// Owned by the link's loop.
	open     bool
	written  uint32 // number of the last message written
	given    int64  // bytes, to dc
	answers  pace   // acknowledgements, of both kinds
	asked    bool   // whether all that was sent has arrived
	channels []*Channel
	refused  int // of the channels that the peer opened
}

// NewLane returns a lane that carries the stream by dc. control is another channel of the
// same connection.
func NewLane(dc, control *webrtc.DataChannel) *Lane { return &Lane{dc: dc, control: control} }

// Came counts a frame for Stream.Take. It reports false when the peer floods us. From anywhere.
func (l *Lane) Came() bool { return l.untaken.Add(1) <= maxUntaken }

// IsOpen reports whether Stream.Open was called.
func (l *Lane) IsOpen() bool { return l.open }

// give hands a frame to the data channel.
func (l *Lane) give(frame []byte) error {
	l.given += int64(len(frame))
	return l.dc.Send(frame)
}

// room reports whether there is room for one more message.
func (l *Lane) room() bool { return l.dc.BufferedAmount() < maxRoom }

// mayAnswer reports whether one more acknowledgement may go.
func (l *Lane) mayAnswer() bool {
	return l.answers.step(l.given, l.given-int64(l.dc.BufferedAmount()))
}

// pace holds acknowledgements back while those before them wait to be sent.
// A later one says all that an earlier one does.
type pace struct {
	batch int   // of the latest batch, so many were given to the channel
	begun int64 // the channel had been given so many bytes with the first of them
}

// step reports whether another one may go to a channel that was given so many
// bytes and has sent so many of them.
func (p *pace) step(given, sent int64) bool {
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
// come. From anywhere; Stream.Opened takes it.
func (l *Lane) NewChannel(dc *webrtc.DataChannel) *Channel {
	c := newChannel(dc, l.control)
	c.theirs = true
	return c
}

// Add wraps a channel that our application opens.
func (l *Lane) Add(dc *webrtc.DataChannel) *Channel {
	c := newChannel(dc, l.control)
	l.dropEnded()
	l.channels = append(l.channels, c)
	return c
}

// Channels returns those of which something may be under way.
func (l *Lane) Channels() []*Channel { return slices.Clone(l.channels) }

// Lose ends all channels with their connection.
func (l *Lane) Lose() {
	for _, c := range l.channels {
		c.lose()
	}
}

// dropEnded forgets channels of which nothing is under way any longer.
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
	Taken   Verdict = iota // it is to be shown to the application
	Refused                // it is to be closed
	Floods                 // the peer has opened more than are refused
)

// Opened takes a channel that the peer has opened over a lane. It is the peer's part to
// answer that a channel is closed: until it does, pion keeps the channel.
func (s *Stream) Opened(lane *Lane, c *Channel) Verdict {
	lane.dropEnded()
	// Those that came and went unseen still hold what was sent in them.
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

// Seen notes that the application has been shown a channel. It may have been asleep meanwhile.
func (s *Stream) Seen() { s.unseen = max(s.unseen-1, 0) }
