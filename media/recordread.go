package media

import (
	"fmt"
	"time"
)

// This file is the part of a recording that reads its tracks, each on a goroutine of its own.

// arrivedFrame is what a track's reader has for the timeline: a frame, or that there
// will be no more.
type arrivedFrame struct {
	lane *lane
	picture
	timestamp uint32
	rate      uint32        // of other timestamps, which begin here; 0: they go on
	came      time.Duration // since Recording.began
	now       time.Duration
	report    report // its time is zero: there is no new one
	over      bool
}

// read takes a track's packets to its end or the recording's.
func (r *Recording) read(from *origin, who string, t Track, in packets) {
	l := &lane{kin: &from.kin, from: time.Since(r.began) - lookAheadTime}
	var clock reports
	clock.sender, l.clocked = t.(SenderClock)
	var a *assembler
	defer func() {
		_ = in.Close()
		if a != nil {
			from.retire(t.Name(), a.stream)
		}
		r.pass(arrivedFrame{lane: l, over: true})
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.stills, t)
		delete(r.reading, t)
	}()
	for {
		packet, err := in.ReadRTP()
		if err != nil {
			return
		}
		now := time.Since(r.began)
		came := min(now, cameAt(in).Sub(r.began))
		if a == nil || a.payloadType != packet.PayloadType || a.ssrc != packet.SSRC {
			codec := t.Codec()
			if uint8(codec.PayloadType) != packet.PayloadType {
				continue // older than the change of codec that Codec reports
			}
			format, ok := recordFormats[codecName(codec.MimeType)]
			if !ok {
				r.note(fmt.Errorf("media: record %s of %s: %s %w", t.Name(), who, codec.MimeType, ErrCodec))
				continue
			}
			if a == nil {
				l.sound = format.starts == nil // before anybody else knows l
			}
			a = a.goOn(packet, from, format, t.Name(), who)
			a.rate = max(codec.ClockRate, 1)
		}
		for _, unit := range a.push(packet, came) {
			frame := arrivedFrame{
				lane: l, picture: picture{stream: a.stream, key: unit.key, data: unit.data},
				timestamp: unit.timestamp, rate: a.rate, came: unit.came, now: now, report: clock.next(a.ssrc),
			}
			a.rate = 0
			if unit.key && a.stream.format.codec == "vp8" {
				r.keep(t, unit.data)
			}
			if !r.pass(frame) {
				return
			}
		}
		if a.needsKey(now) {
			_ = t.RequestKeyframe() // asked again before long
		}
		select {
		case <-r.quit:
			return
		default:
		}
	}
}

// pass hands on what a reader has; false: the recording is over.
func (r *Recording) pass(a arrivedFrame) bool {
	select {
	case r.frames <- a:
		return true
	case <-r.quit:
		return false
	}
}

// reports gives each of a track's sender reports once.
type reports struct {
	sender SenderClock // nil: it has none
	ssrc   uint32
	latest report
}

// next returns the report that has come since, if one has.
func (s *reports) next(ssrc uint32) report {
	if s.sender == nil {
		return report{}
	}
	at, timestamp, ok := s.sender.SenderTime(ssrc)
	if r := (report{at, timestamp}); ok && (r != s.latest || ssrc != s.ssrc) {
		s.latest, s.ssrc = r, ssrc
		return r
	}
	return report{}
}

func (r *Recording) keep(t Track, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stills[t] = data
}
