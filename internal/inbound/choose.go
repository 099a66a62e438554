package inbound

import (
	"time"

	"github.com/pion/rtp"
)

// MaxEncodings is how many encodings of one picture are received at most.
const MaxEncodings = 4

const (
	goneTime     = time.Second // without a packet, while others come: the encoding is no longer sent
	gonePictures = 6           // of others in that time, so that a picture that stands still is not taken for that
)

// chooser decides which of several encodings of one picture is delivered. It is a pure machine: packets and times are
// passed in. A switch happens at a key frame of the wanted one, which is asked for:
//
//	chosen -- another is wanted --> asks, and delivers the old one -- its key frame --> chosen
//	chosen -- nothing is wanted --> none -- something is wanted --> asks -- its key frame --> chosen
type chooser struct {
	encodings [MaxEncodings]encodingSeen // in the sender's order, of which the last is the largest
	chosen    int                        // one more than the number of the encoding that is delivered; 0: none is
}

// encodingSeen is what the chooser knows of an encoding.
type encodingSeen struct {
	begun     bool
	height    int       // of its pictures, in pixels; 0: unknown
	came      time.Time // its latest packet
	others    int       // pictures of others that came since
	highest   uint16    // sequence number
	timestamp uint32    // of its latest picture
}

// choice is what a chooser decides about a packet.
type choice struct {
	delivers bool
	begins   bool // what is delivered of another encoding than before
	asks     bool // for a key frame of the encoding with the number from
	from     int
}

// take decides about a packet of an encoding. height is that of the pictures in pixels, 0: unknown, and wanted what is
// wanted, or inFull.
func (c *chooser) take(encoding int, h *rtp.Header, start keyframeStart, height, wanted int, now time.Time) (d choice) {
	fresh, follows := c.note(encoding, h, now)
	if height > 0 {
		c.encodings[encoding].height = height
	}
	switch target := c.target(wanted, now); {
	case target < 0:
		c.chosen = 0
	case target == c.chosen-1:
	case target == encoding && fresh && isWhole(start, follows):
		c.chosen, d.begins = encoding+1, true
	default:
		d.asks, d.from = true, target
	}
	d.delivers = encoding == c.chosen-1
	return d
}

// note notes a packet, and reports whether it is the newest of its encoding, or is so far from it that the source has
// begun again, or was not looked at for long. A key frame that begins with an older one cannot be whole. follows says
// that it comes right behind the last packet of another picture.
func (c *chooser) note(encoding int, h *rtp.Header, now time.Time) (fresh, follows bool) {
	e := &c.encodings[encoding]
	ahead := int16(h.SequenceNumber - e.highest)
	fresh = !e.begun || ahead > 0 || ahead <= -gapWindow
	follows = e.begun && ahead == 1 && e.timestamp != h.Timestamp
	if !fresh {
		return false, false
	}
	if !e.begun || e.timestamp != h.Timestamp {
		for i := range c.encodings {
			c.encodings[i].others++
		}
	}
	e.begun, e.came, e.others, e.highest, e.timestamp = true, now, 0, h.SequenceNumber, h.Timestamp
	return true, follows
}

// comes reports whether an encoding is being sent.
func (c *chooser) comes(i int, now time.Time) bool {
	e := &c.encodings[i]
	return e.begun && (e.others < gonePictures || now.Sub(e.came) < goneTime)
}

// target returns the encoding that is to be delivered: of those that come, the smallest that is as high as wanted, or
// else the largest; -1: none.
func (c *chooser) target(wanted int, now time.Time) int {
	best, enough := -1, false
	if wanted == 0 {
		return best
	}
	for i := range c.encodings {
		if !c.comes(i, now) {
			continue
		}
		suffices := wanted != inFull && c.height(i) >= wanted
		larger := best < 0 || c.height(i) >= c.height(best)
		switch {
		case suffices && (!enough || !larger), !suffices && !enough && larger:
			best, enough = i, suffices
		}
	}
	return best
}

// height returns that of an encoding's pictures. If it is unknown, each is taken for half as high as the next, from the
// largest that is known; 0: none is.
func (c *chooser) height(i int) int {
	if h := c.encodings[i].height; h > 0 {
		return h
	}
	known := i
	for k, e := range c.encodings {
		if e.height > c.encodings[known].height {
			known = k
		}
	}
	if i > known {
		return c.encodings[known].height << (i - known)
	}
	return c.encodings[known].height >> (known - i)
}
