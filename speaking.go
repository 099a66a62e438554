package noom

import (
	"time"

	"noom/internal/packet"
	"noom/internal/speaker"
)

// heard notes the level of a packet. Only one goroutine calls it at a time.
func (t *remoteTrack) heard(dBov int) {
	v := packet.Loudness(dBov)
	t.level.Store(v)
	for {
		peak := t.peak.Load()
		if v <= peak || t.peak.CompareAndSwap(peak, v) {
			return
		}
	}
}

func (t *remoteTrack) AudioLevel() (dBov int, ok bool) { return packet.LevelOf(t.level.Load()) }

// takePeak returns the loudest since the last call.
func (t *remoteTrack) takePeak() (dBov int, ok bool) { return packet.LevelOf(t.peak.Swap(0)) }

// takePeak returns the loudest of the peer's tracks since the last call.
func (l *link) takePeak() (dBov int, ok bool) {
	l.mu.Lock()
	tracks := l.tracks
	l.mu.Unlock()
	for _, t := range tracks {
		if v, heard := t.takePeak(); heard && (!ok || v > dBov) {
			dBov, ok = v, true
		}
	}
	return dBov, ok
}

// speechHeard wakes the room's loop to find out who speaks. It is called from
// anywhere, for each packet that is loud enough, and mostly does nothing.
func (r *room) speechHeard() {
	if !r.speech.Load() && r.speech.CompareAndSwap(false, true) {
		r.mail.Post(r.listen)
	}
}

// listen, in the room's loop, takes what was heard of everyone since the last
// time, and comes again for as long as there is anything to decide.
func (r *room) listen() {
	var heard []speaker.Level
	for _, l := range r.order {
		if dBov, ok := l.takePeak(); ok {
			heard = append(heard, speaker.Level{ID: l.member.ID, DBov: dBov})
		}
	}
	if r.speaker.Step(time.Now(), heard) {
		r.tellSpeaker()
	}
	if r.speaker.Idle() {
		r.speech.Store(false)
		return
	}
	time.AfterFunc(speaker.Period, func() { r.mail.Post(r.listen) })
}

// speakerGone forgets a peer that has left the roster.
func (r *room) speakerGone(l *link) {
	if r.speaker.Remove(l.member.ID) {
		r.tellSpeaker()
	}
}

func (r *room) tellSpeaker() {
	if l := r.links[r.speaker.Active()]; l != nil {
		r.events.add(ActiveSpeaker{Peer: l})
		return
	}
	r.events.add(ActiveSpeaker{})
}
