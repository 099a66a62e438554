package fanout

import (
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// deliver fans out a packet that from's track has written.
func (s *Sender) deliver(from *source, header *rtp.Header, payload []byte) {
	s.mu.Lock()
	h264 := s.isH264()
	// While the first track binds, the codec is unknown.
	if h264 || s.codec.MimeType == "" && s.kind == webrtc.RTPCodecTypeVideo {
		if news := from.sets.Note(payload, header.Timestamp); news && h264 {
			sentSets.remember(from)
		}
	}
	if from != s.current && from != s.next { // still binding, or unbound already
		s.mu.Unlock()
		return
	}
	keyframe := s.startsKeyframe(from, header, payload)
	replaced := s.swap(from, keyframe)
	r := s.runOf(from, header, keyframe)
	legs := s.legs
	var sets []byte
	if h264 && r != nil && len(legs) > 0 && packet.StartsH264IDR(payload) {
		sets = from.sets.Lacking(header.Timestamp)
	}
	s.mu.Unlock()

	if replaced != nil {
		// In another goroutine, because its track may be busy writing, or wait for from's.
		go replaced.unbind()
	}
	if keyframe {
		from.keyframeSent()
	}
	if r == nil || len(legs) == 0 {
		return
	}
	at, first := s.strip(payload)
	now, p := time.Now(), newParcel(first, payload[at:], from.audioLevel())
	var before *parcel
	if sets != nil {
		before = newParcel(sets[0], sets, nil)
		defer before.release()
	}
	for _, l := range legs {
		l.write(s, r, keyframe, header, before, p, now)
	}
	p.release()
}

// startsKeyframe reports whether a packet is the first of a key frame. Two packets of an
// H.264 key frame look like it, the parameter sets and the picture; a leg that is attached
// between them needs the next key frame. It needs s.mu.
func (s *Sender) startsKeyframe(from *source, header *rtp.Header, payload []byte) bool {
	if !s.keyframeStart(payload) {
		return false
	}
	if s.kind != webrtc.RTPCodecTypeVideo {
		return true
	}
	again := from.keyframes && from.keyframe == header.Timestamp
	from.keyframes, from.keyframe = true, header.Timestamp
	return !again
}

// runOf returns the run that a packet of from belongs to, which may be a new one, or nil
// if the packet must not be sent. It needs s.mu.
func (s *Sender) runOf(from *source, header *rtp.Header, keyframe bool) *packetRun {
	if from != s.current || s.muted || s.run == nil && !keyframe {
		return nil
	}
	if s.run == nil || !s.run.advance(header.SequenceNumber) {
		s.runs++
		seq := header.SequenceNumber
		s.run = &packetRun{number: s.runs, seq: seq, timestamp: header.Timestamp, last: seq}
	}
	return s.run
}

// isH264 needs s.mu.
func (s *Sender) isH264() bool { return s.codec.MimeType == webrtc.MimeTypeH264 }
