package inbound

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
)

// Inbound is one receiving media section: one stream, or several encodings of one picture, of which it delivers one to
// the track that the section currently carries.
type Inbound struct {
	// Immutable once Add was called.
	writeRTCP    func([]rtcp.Packet) error
	levelID      uint8                              // of the audio level's header extension; 0: not negotiated
	dependencyID uint8                              // of the dependency descriptor's; 0: not negotiated
	loud         func()                             // called for each packet that may be speech
	repaired     func(source uint32, number uint16) // called for each packet that came by retransmission
	begins       func()                             // called for the first packet of each encoding

	track atomic.Pointer[Track]

	// No call but one to the track leaves the Inbound while mu is held.
	mu        sync.Mutex
	encodings []*Encoding
	choose    chooser
	joint     joint
	still     time.Duration
}

// New returns an Inbound that nothing comes in yet. It sends key-frame requests by writeRTCP.
func New(writeRTCP func([]rtcp.Packet) error) *Inbound {
	return &Inbound{writeRTCP: writeRTCP, loud: func() {}, repaired: func(uint32, uint16) {}, begins: func() {}}
}

// Levels sets the id of the audio level's header extension, 0 if none was negotiated,
// and the function to call for each packet that may be speech. It is called before Add.
func (in *Inbound) Levels(levelID uint8, loud func()) { in.levelID, in.loud = levelID, loud }

// Dependencies sets the id of the dependency descriptor's header extension, 0 if none was negotiated. It is called
// before Add.
func (in *Inbound) Dependencies(id uint8) { in.dependencyID = id }

// Repairs sets the function to call with the source and the sequence number of each packet that came by retransmission
// (RFC 4588). It is called before Add.
func (in *Inbound) Repairs(repaired func(source uint32, number uint16)) { in.repaired = repaired }

// Begins sets the function to call for the first packet of each encoding. It is called before Add.
func (in *Inbound) Begins(begins func()) { in.begins = begins }

// Assign makes in feed t from now on, and nothing else; nil: packets are dropped.
func (in *Inbound) Assign(t *Track) {
	// Attach first, so that no packet reaches a track that does not expect it.
	if t != nil {
		t.attach(in)
	}
	if old := in.track.Swap(t); old != nil && old != t {
		old.detach(in)
	}
}

// Alone is the place of a stream that is the only one of its section. It is what a chooser that was never asked has
// chosen.
const Alone = -1

// Add makes tr a stream of the section, which Run reads. place is that of the encoding among several, from 0, the
// smallest, to below MaxEncodings, or Alone. An encoding with the same place is no longer one.
func (in *Inbound) Add(tr *webrtc.TrackRemote, place int) *Encoding {
	e := &Encoding{in: in, tr: tr, place: place, thin: newThinner()}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.encodings = slices.DeleteFunc(in.encodings, func(o *Encoding) bool { return o.place == place })
	in.encodings = append(in.encodings, e)
	if place != Alone {
		in.choose.encodings[place] = encodingSeen{}
	}
	return e
}

// Again reports whether tr is a stream of the section already. Then something else comes in it now, with another SSRC: it
// begins with a key frame, as another encoding does.
func (in *Inbound) Again(tr *webrtc.TrackRemote) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	i := slices.IndexFunc(in.encodings, func(e *Encoding) bool { return e.tr == tr })
	if i < 0 {
		return false
	}
	e := in.encodings[i]
	e.video, e.thin = gaps{}, newThinner()
	if e.place != Alone {
		in.choose.encodings[e.place] = encodingSeen{}
		if in.choose.chosen == e.place+1 {
			in.choose.chosen = 0
		}
	}
	return true
}

// remove is called when an encoding has ended. With the last one, the track has lost its section.
func (in *Inbound) remove(e *Encoding) {
	in.mu.Lock()
	in.encodings = slices.DeleteFunc(in.encodings, func(o *Encoding) bool { return o == e })
	left := len(in.encodings)
	in.mu.Unlock()
	if left == 0 {
		in.Assign(nil)
	}
}

// take takes a packet of a picture.
func (in *Inbound) take(e *Encoding, p *rtp.Packet, now time.Time) {
	in.mu.Lock()
	var ask *Encoding
	if t := in.track.Load(); t != nil {
		ask = in.deliver(t, e, p, now)
	}
	if ask != nil && now.Sub(ask.asked) < requestsApart {
		ask = nil
	}
	if ask != nil {
		ask.asked = now
	}
	in.mu.Unlock()
	if ask != nil {
		_ = ask.requestKeyframe() // if this fails, the next packets ask again
	}
}

// deliver gives t what is wanted of an encoding, and returns the one that is to be asked for a key frame; nil: none. It
// needs in.mu.
func (in *Inbound) deliver(t *Track, e *Encoding, p *rtp.Packet, now time.Time) (ask *Encoding) {
	layer, layered := e.sizes.Read(&p.Header, p.Payload)
	wanted, heights, still := t.wantedHeight(), e.sizes.Heights(), e.video.still
	broken := e.video.took(p.SequenceNumber, p.Payload, e.starts, now)
	if e.place != Alone {
		c := in.choose.take(e.place, &p.Header, e.starts(p.Payload), tallest(heights), wanted, now)
		if c.asks {
			ask = in.at(c.from)
		}
		if !c.delivers {
			return ask
		}
		if c.begins {
			in.joint.clockRate, e.thin = e.codec.ClockRate, newThinner()
			in.joint.begin(&p.Header, now)
		}
	}
	in.still += e.video.still - still
	if broken {
		ask = e
	}
	if layered {
		d := e.thin.take(layer, p.Timestamp, layerFor(heights, wanted))
		if d.asks {
			ask = e
		}
		switch {
		case d.delivers:
			p.Marker = p.Marker || d.marks
		case !in.joint.leave(p.SequenceNumber):
			return ask
		default: // its number is taken, and must be that of nothing
			p.Header = rtp.Header{
				Version: 2, PayloadType: p.PayloadType, SequenceNumber: p.SequenceNumber, Timestamp: p.Timestamp, SSRC: p.SSRC,
			}
			p.Payload = nil
		}
	}
	if in.joint.number(&p.Header, now) {
		t.push(in, p, e.codec)
	}
	return ask
}

func tallest(heights []int) (height int) {
	for _, h := range heights {
		height = max(height, h)
	}
	return height
}

// at returns the encoding with a place; nil: it is not there. It needs in.mu.
func (in *Inbound) at(place int) *Encoding {
	i := slices.IndexFunc(in.encodings, func(e *Encoding) bool { return e.place == place })
	if i < 0 {
		return nil
	}
	return in.encodings[i]
}

// current returns the encoding that is delivered, or else the last that has come; nil: none has. It needs in.mu.
func (in *Inbound) current() *Encoding {
	if e := in.at(in.choose.chosen - 1); e != nil {
		return e
	}
	if len(in.encodings) == 0 {
		return nil
	}
	return in.encodings[len(in.encodings)-1]
}

// remote returns pion's track of what is delivered; nil: nothing has come yet.
func (in *Inbound) remote() *webrtc.TrackRemote {
	in.mu.Lock()
	defer in.mu.Unlock()
	if e := in.current(); e != nil {
		return e.tr
	}
	return nil
}

// requestKeyframe asks for a key frame of what is delivered. Errors: fault.NotConnected, those of the connection.
func (in *Inbound) requestKeyframe() error {
	in.mu.Lock()
	e := in.current()
	in.mu.Unlock()
	if e == nil {
		return fault.NotConnected
	}
	return e.requestKeyframe()
}

// senderTime is Track.SenderTime.
func (in *Inbound) senderTime(ssrc uint32) (at time.Time, timestamp uint32, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	e := in.at(in.choose.chosen - 1)
	if e == nil && in.joint.ssrc == 0 {
		e = in.current()
	}
	if e == nil { // the numbers are those of what is no longer delivered
		return time.Time{}, 0, false
	}
	report := e.report.Load()
	if report == nil || in.joint.ssrc != 0 && ssrc != in.joint.ssrc || in.joint.ssrc == 0 && ssrc != report.ssrc {
		return time.Time{}, 0, false
	}
	return report.at, report.timestamp + in.joint.ticks, true
}

// Counts is what an Inbound has received so far, after repair.
type Counts struct {
	Packets, Lost int64         // Lost may sink: what is missing may still come
	Stalled       time.Duration // for how long pictures stood still, or sound was missing
}

// soundPacket is how much sound is in a packet: the usual time of all codecs.
const soundPacket = 20 * time.Millisecond

// Counts may be called from anywhere.
func (in *Inbound) Counts() (c Counts) {
	in.mu.Lock()
	defer in.mu.Unlock()
	c.Stalled = in.still
	for _, e := range in.encodings {
		lost := int64(e.count.Lost())
		c.Packets += int64(e.count.Packets())
		c.Lost += lost
		if e.tr.Kind() == webrtc.RTPCodecTypeAudio {
			c.Stalled = time.Duration(max(lost, 0)) * soundPacket
		}
	}
	return c
}
