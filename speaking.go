package noom

import "noom/internal/packet"

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
