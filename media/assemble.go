package media

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// recordFormat is how packets of a codec become frames.
type recordFormat struct {
	codec string
	open  func() rtp.Depacketizer // for one frame
	// bound refuses a frame that could not be played. Nil: all can.
	bound func([]byte) error
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
		starts: startsAV1, bound: boundAV1, key: func(b []byte) bool { _, err := firstAV1(b); return err == nil },
	},
	"h264": {
		codec: "h264", open: func() rtp.Depacketizer { return &codecs.H264Packet{IsAVC: true} },
		starts: startsH264, bound: boundH264, key: func(b []byte) bool {
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

// maxRecorded bounds a recorded frame: one that can be played, with what
// playing may put before it.
const maxRecorded = maxFrame - 3*maxSets

// boundH264 counts units that have their lengths before them.
func boundH264(units []byte) error {
	n, size := 0, 0
	for nal := range unitsOf(units, 4) {
		if n++; n > maxUnits {
			return fmt.Errorf("%w: a picture of more than %d units", ErrDamaged, maxUnits)
		}
		if kind := nal[0] & 0x1f; kind == nalSPS || kind == nalPPS {
			size += len(startCode) + len(nal)
		}
	}
	if size > maxSets {
		return fmt.Errorf("%w: parameter sets of more than %d bytes", ErrDamaged, maxSets)
	}
	return nil
}

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
	sets        *avc // of H.264, as far as they were seen; else nil
	ssrc        uint32
	payloadType uint8
	rate        uint32 // of the timestamps, until the timeline knows it; then 0

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
	a := &assembler{stream: s, ssrc: packet.SSRC, payloadType: packet.PayloadType, waiting: s.format.starts != nil}
	if s.format.codec == "h264" {
		a.sets = &avc{}
	}
	return a
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

// keyFrameInterval is how often a key frame is asked for.
const keyFrameInterval = time.Second

// needsKey reports whether it is time to ask for a key frame.
func (a *assembler) needsKey(now time.Duration) bool {
	if !a.waiting || a.data != nil || a.began && now-a.asked < keyFrameInterval {
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
	a.data, a.depay, a.waiting = nil, nil, a.stream.format.starts != nil
}

// picture takes a packet of a picture.
func (a *assembler) picture(p heldPacket, units []unit) []unit {
	if a.data != nil && p.Timestamp != a.timestamp { // no marker behind the last
		units = a.finish(p.came, units)
	}
	if a.data == nil {
		if a.waiting && !a.starts(p.Payload) {
			return units
		}
		a.depay, a.timestamp, a.data, a.size = a.stream.format.open(), p.Timestamp, []byte{}, 0
	}
	part, err := a.depay.Unmarshal(p.Payload)
	if a.size += len(p.Payload); err != nil || max(a.size, len(a.data)+len(part)) > maxRecorded {
		a.drop()
		return units
	}
	a.data = append(a.data, part...)
	if p.Marker {
		units = a.finish(p.came, units)
	}
	return units
}

// starts recognises the first packet of a key frame. Parameter sets may have
// come long before it.
func (a *assembler) starts(payload []byte) bool {
	if a.stream.format.starts(payload) {
		return true
	}
	if a.sets == nil {
		return false
	}
	const fragment, begins = 28, 0x80
	if len(payload) > 1 && payload[0]&0x1f == fragment {
		return payload[1]&begins != 0 && payload[1]&0x1f == nalIDR && len(a.sets.sets()) > 0
	}
	units, err := (&codecs.H264Packet{IsAVC: true}).Unmarshal(payload)
	if err != nil {
		return false
	}
	a.remember(units)
	return nalOf(units, nalIDR) != nil && len(a.sets.sets()) > 0
}

func (a *assembler) remember(units []byte) {
	for nal := range unitsOf(units, 4) {
		if kind := nal[0] & 0x1f; kind == nalSPS || kind == nalPPS {
			a.sets.remember(nal)
		}
	}
}

// complete puts the parameter sets before an IDR picture that came without.
func (a *assembler) complete(data []byte) []byte {
	a.remember(data)
	if nalOf(data, nalIDR) == nil || nalOf(data, nalSPS) != nil && nalOf(data, nalPPS) != nil {
		return data
	}
	var whole []byte
	for nal := range unitsIn(a.sets.sets()) {
		whole = append(binary.BigEndian.AppendUint32(whole, uint32(len(nal))), nal...)
	}
	return append(whole, data...)
}

func (a *assembler) finish(came time.Duration, units []unit) []unit {
	if a.sets != nil {
		a.data = a.complete(a.data)
	}
	u := unit{a.timestamp, came, a.stream.format.key(a.data), a.data}
	a.data = nil
	if len(u.data) == 0 || a.waiting && !u.key || a.stream.format.bound != nil && a.stream.format.bound(u.data) != nil {
		a.drop()
		return units
	}
	a.waiting = false
	return append(units, u)
}
