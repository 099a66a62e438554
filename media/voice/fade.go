package voice

import "time"

// fade conceals loss for codecs that cannot do so themselves: it says the last 20 ms again, forwards and backwards in
// turn so that nothing clicks, and fades them out.
type fade struct {
	rate int
	last []int16 // what was heard, or said again
	pcm  []int16
	at   int // samples that were made up since
}

// fadeTime is how long it takes until nothing is left.
const fadeTime = 60 * time.Millisecond

// heard notes sound that came.
func (f *fade) heard(pcm []int16) {
	keep := samplesOf(frameTime, f.rate)
	f.last = append(f.last, pcm...)
	if extra := len(f.last) - keep; extra > 0 {
		f.last = f.last[:copy(f.last, f.last[extra:])]
	}
	f.at = 0
}

// conceal makes up sound.
func (f *fade) conceal(lasts time.Duration) []int16 {
	samples, whole := samplesOf(min(lasts, longestPacket), f.rate), samplesOf(fadeTime, f.rate)
	f.pcm = f.pcm[:0]
	for range max(samples, 0) {
		v := 0
		if n := len(f.last); n > 0 && f.at < whole {
			place := f.at % (2 * n)
			if place < n {
				place = n - 1 - place
			} else {
				place -= n
			}
			v = int(f.last[place]) * (whole - f.at) / whole
		}
		f.at++
		f.pcm = append(f.pcm, int16(v))
	}
	return f.pcm
}
