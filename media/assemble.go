package media

import (
	"strings"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// recordFormat is how packets of a codec become frames.
type recordFormat struct {
	codec string
	open  func() rtp.Depacketizer // for one frame
	// starts recognises the first packet of a key frame by its payload, and key
	// a whole one. Nil for sound, where every packet is a frame.
	starts, key func([]byte) bool
}

var recordFormats = map[string]recordFormat{
	"opus": {codec: "opus", open: func() rtp.Depacketizer { return &codecs.OpusPacket{} }},
	"vp8": {
		codec: "vp8", open: func() rtp.Depacketizer { return &codecs.VP8Packet{} },
		starts: startsVP8, key: func(b []byte) bool { _, err := firstVP8(b); return err == nil },
	},
	"vp9": {
		codec: "vp9", open: func() rtp.Depacketizer { return &codecs.VP9Packet{} },
		starts: startsVP9, key: func(b []byte) bool { _, err := firstVP9(b); return err == nil },
	},
	"av1": {
		codec: "av1", open: func() rtp.Depacketizer { return &codecs.AV1Depacketizer{} },
		starts: startsAV1, key: func(b []byte) bool { _, err := firstAV1(b); return err == nil },
	},
	"h264": {
		codec: "h264", open: func() rtp.Depacketizer { return &codecs.H264Packet{IsAVC: true} },
		starts: startsH264, key: func(b []byte) bool {
			return nalOf(b, nalIDR) != nil && nalOf(b, nalSPS) != nil && nalOf(b, nalPPS) != nil
		},
	},
}

// codecName returns vp8 for video/VP8.
func codecName(mime string) string {
	_, name, _ := strings.Cut(strings.ToLower(mime), "/")
	return name
}

func startsVP8(payload []byte) bool {
	var p codecs.VP8Packet
	frame, err := p.Unmarshal(payload)
	return err == nil && p.S == 1 && p.PID == 0 && len(frame) > 0 && frame[0]&1 == 0
}

func startsVP9(payload []byte) bool {
	var p codecs.VP9Packet
	_, err := p.Unmarshal(payload)
	return err == nil && p.B && !p.P && p.SID == 0
}

// startsAV1 looks for the N bit of the aggregation header.
func startsAV1(payload []byte) bool { return len(payload) > 1 && payload[0]&0x88 == 0x08 }

// startsH264 looks for the sequence parameter set, with which key frames begin
// that can be decoded by themselves.
func startsH264(payload []byte) bool {
	units, err := (&codecs.H264Packet{IsAVC: true}).Unmarshal(payload)
	return err == nil && nalOf(units, nalSPS) != nil
}

// unit is a frame with its RTP timestamp.
type unit struct {
	timestamp uint32
	came      time.Duration // the packet that completed it
	key       bool
	data      []byte
}

// assembler puts the packets of one SSRC and payload type together to frames.
// Behind a loss it leaves out everything up to the next key frame, so that
// what it returns can be decoded.
type assembler struct {
	stream      *stream
	ssrc        uint32
	payloadType uint8
	rate        uint32 // of the timestamps, until the timeline was told; then 0

	order     reorder
	waiting   bool // for a key frame
	asked     time.Duration
	began     bool // asked means something
	depay     rtp.Depacketizer
	timestamp uint32
	data      []byte // of the frame that is being put together; nil: none is
	size      int    // of the payloads it came in
}

// newAssembler returns the assembler for what begins with packet.
func newAssembler(packet *rtp.Packet, s *stream) *assembler {
	return &assembler{stream: s, ssrc: packet.SSRC, payloadType: packet.PayloadType, waiting: s.format.starts != nil}
}

// goOn returns the assembler for what begins with packet, of the same track: in
// the same stream if the codec stays. A nil assembler is the one before the first.
func (a *assembler) goOn(packet *rtp.Packet, from *origin, f recordFormat, track, who string) *assembler {
	switch {
	case a == nil:
	case a.stream.format.codec == f.codec:
		return newAssembler(packet, a.stream)
	default:
		from.retire(track, a.stream)
	}
	return newAssembler(packet, from.stream(track, who+": "+track, f))
}

// keyAgain is how often a key frame is asked for.
const keyAgain = time.Second

// needsKey reports whether it is time to ask for a key frame.
func (a *assembler) needsKey(now time.Duration) bool {
	if !a.waiting || a.data != nil || a.began && now-a.asked < keyAgain {
		return false
	}
	a.began, a.asked = true, now
	return true
}

// push takes a packet and returns the frames that it completes.
func (a *assembler) push(p *rtp.Packet, now time.Duration) (units []unit) {
	for _, p := range a.order.push(p, now) {
		switch {
		case p.Packet == nil:
			a.drop()
		case len(p.Payload) == 0: // padding, which has no place in a frame
		case a.stream.format.starts == nil:
			units = append(units, unit{p.Timestamp, p.came, true, p.Payload})
		default:
			units = a.picture(p, units)
		}
	}
	return units
}

// drop gives up the frame under way, and those that need it.
func (a *assembler) drop() {
	a.data, a.waiting = nil, a.stream.format.starts != nil
}

// picture takes a packet of a picture.
func (a *assembler) picture(p heldPacket, units []unit) []unit {
	if a.data != nil && p.Timestamp != a.timestamp { // no marker behind the last
		units = a.finish(p.came, units)
	}
	if a.data == nil {
		if a.waiting && !a.stream.format.starts(p.Payload) {
			return units
		}
		a.depay, a.timestamp, a.data, a.size = a.stream.format.open(), p.Timestamp, []byte{}, 0
	}
	part, err := a.depay.Unmarshal(p.Payload)
	if a.size += len(p.Payload); err != nil || a.size > maxFrame {
		a.drop()
		return units
	}
	a.data = append(a.data, part...)
	if p.Marker {
		units = a.finish(p.came, units)
	}
	return units
}

func (a *assembler) finish(came time.Duration, units []unit) []unit {
	u := unit{a.timestamp, came, a.stream.format.key(a.data), a.data}
	a.data = nil
	if len(u.data) == 0 || a.waiting && !u.key {
		a.drop()
		return units
	}
	a.waiting = false
	return append(units, u)
}
