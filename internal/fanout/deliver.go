package fanout

import (
	"slices"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// rtpHeader is the size of a header in bytes, as far as a meter is concerned.
const rtpHeader = 12

// deliver fans out a packet that from's track has written.
func (s *Sender) deliver(from *source, header *rtp.Header, payload []byte) {
	now := time.Now()
	s.mu.Lock()
	f := from.feed
	h264 := f.line.isH264()
	// While the first track of a codec binds, the codec is unknown.
	if h264 || f.line.codec.MimeType == "" && s.kind == webrtc.RTPCodecTypeVideo {
		if news := from.sets.Note(payload, header.Timestamp); news && h264 {
			sentSets.remember(from)
		}
	}
	if from != f.current && from != f.next { // still binding, or unbound already
		s.mu.Unlock()
		return
	}
	layer, layered := from.layers.Read(header, payload)
	keyframe := s.startsKeyframe(from, header, payload)
	replaced := f.swap(from, keyframe)
	if from == f.current {
		f.meter.add(rtpHeader+len(payload), now)
	}
	r := s.runOf(from, header, keyframe)
	legs, last := s.legs, f.line.count-1
	strip := f.line.strip
	closing := keyframe && slices.ContainsFunc(s.allFeeds(), func(f *feed) bool { return f.closing != nil })
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
	at, first := strip(payload)
	d := delivery{run: r, last: last, header: header, keyframe: keyframe, layered: layered, layer: layer, at: now}
	d.parcel = newParcel(first, payload[at:], from.audioLevel())
	defer d.parcel.Release()
	d.parcel.descriptor = append(d.parcel.descriptor, header.GetExtension(packet.DependencyID)...)
	if sets != nil {
		d.before = newParcel(sets[0], sets, nil)
		defer d.before.Release()
	}
	for _, l := range legs {
		l.write(s, &d)
	}
	if closing {
		go s.sweep() // in another goroutine for the same reason
	}
}

// startsKeyframe reports whether a packet is the first of a key frame. Two packets of an
// H.264 key frame look like it, the parameter sets and the picture; a leg that is attached
// between them needs the next key frame. It needs s.mu.
func (s *Sender) startsKeyframe(from *source, header *rtp.Header, payload []byte) bool {
	if !from.feed.line.keyframeStart(payload) {
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
	f := from.feed
	if from != f.current || s.muted || f.run == nil && !keyframe {
		return nil
	}
	if f.run == nil || !f.run.advance(header.SequenceNumber) {
		s.runs++
		seq := header.SequenceNumber
		f.run = &packetRun{feed: f, number: s.runs, seq: seq, timestamp: header.Timestamp, last: seq}
	}
	return f.run
}
