package noom

import (
	"math"
	"slices"

	"noom/signal"
)

// This file is the part of a link that says goodbye in-band, takes the peer's, and
// brings what was sent to its end before.

// beginDelivery asks the peer to say when it has all that was sent to it, and
// closes the channels of the connection. What is closed arrives whole: a
// channel's end travels behind what was sent in it.
func (l *link) beginDelivery() delivery {
	d := delivery{link: l, arrived: l.stream.Deliver()}
	for _, c := range append(slices.Clip(l.old), l.conn) {
		if c == nil {
			continue
		}
		for _, ch := range c.Lane.Channels() {
			if ch.Waiting() > 0 { // else the peer has it all
				d.channels = append(d.channels, ch)
			}
			l.room.background(func() { _ = ch.Close() }) // it may be closed already
		}
	}
	return d
}

// parting is a goodbye on its way: done is closed once the exchange has the
// acknowledgement of so many messages, or the link ends.
type parting struct {
	acked int64
	done  chan struct{}
}

// sayGoodbye tells the peer in-band that we leave for good, if it can be told.
func (l *link) sayGoodbye() <-chan struct{} {
	done := make(chan struct{})
	posted := l.mail.Post(func() {
		if l.recovery.Broken() || !l.recovery.Reachable() {
			close(done)
			return
		}
		l.partings = append(l.partings, parting{l.frames.Send(signal.TypeLeft, nil, false), done})
	})
	if !posted {
		close(done)
	}
	return done
}

// partAll ends all partings: the peer is gone, and hears nothing any more.
func (l *link) partAll() { l.part(math.MaxInt64) }

// part ends the partings that are heard by now.
func (l *link) part(acked int64) {
	for len(l.partings) > 0 && l.partings[0].acked <= acked {
		close(l.partings[0].done)
		l.partings = l.partings[1:]
	}
}
