package voice

import (
	"math"
	"math/rand/v2"
	"time"
)

// speechLike is what a codec of speech is made for: a voice whose pitch glides, with three formants that move, words of
// a quarter of a second and pauses between them, and breath.
func speechLike(rate int, lasts time.Duration) []int16 {
	rng := rand.New(rand.NewPCG(7, uint64(rate)))
	pcm := make([]int16, samplesOf(lasts, rate))
	phase := 0.0
	type formant struct{ hz, band, y1, y2 float64 }
	formants := []formant{{hz: 600, band: 80}, {hz: 1400, band: 110}, {hz: 2500, band: 160}}
	for i := range pcm {
		t := float64(i) / float64(rate)
		phase += (120 + 30*math.Sin(2*math.Pi*0.7*t)) / float64(rate)
		pulse := 0.05 * rng.NormFloat64()
		if phase >= 1 {
			phase--
			pulse += 8
		}
		word := math.Max(0, math.Sin(2*math.Pi*2*t))
		sum := 0.0
		for f := range formants {
			m := &formants[f]
			hz := m.hz * (1 + 0.25*math.Sin(2*math.Pi*(0.9+0.3*float64(f))*t))
			decay := math.Exp(-math.Pi * m.band / float64(rate))
			y := pulse + 2*decay*math.Cos(2*math.Pi*hz/float64(rate))*m.y1 - decay*decay*m.y2
			m.y2, m.y1 = m.y1, y
			sum += y * m.band / 110
		}
		pcm[i] = int16(clip16(int(sum * word * 420)))
	}
	return pcm
}

func sine(rate int, hz, size float64, lasts time.Duration) []int16 {
	pcm := make([]int16, samplesOf(lasts, rate))
	for i := range pcm {
		pcm[i] = int16(math.Round(size * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return pcm
}

// ratio is how much stronger a sound is than the difference to what became of it, in dB, at the delay, from least to
// most samples, at which that is best.
func ratio(sound, became []int16, least, most int) (dB float64, delay int) {
	at := func(d, step int) float64 {
		signal, noise := 0.0, 0.0
		for i := max(len(sound)/10, -least); i < len(sound)-most && i+d < len(became); i += step {
			v, e := float64(sound[i]), float64(sound[i])-float64(became[i+d])
			signal, noise = signal+v*v, noise+e*e
		}
		return 10 * math.Log10(signal/math.Max(noise, 1))
	}
	best := math.Inf(-1)
	for d := least; d <= most; d++ {
		if r := at(d, 37); r > best {
			best, delay = r, d
		}
	}
	return at(delay, 1), delay
}

// pass encodes and decodes, and returns the sound and all packets.
func pass(e Encoder, d Decoder, pcm []int16) (became []int16, packets [][]byte, err error) {
	frame := samplesOf(frameTime, e.Rate())
	for ; len(pcm) >= frame; pcm = pcm[frame:] {
		payload, err := e.Encode(pcm[:frame])
		if err != nil {
			return nil, nil, err
		}
		packets = append(packets, append([]byte(nil), payload...))
		sound, err := d.Decode(payload)
		if err != nil {
			return nil, nil, err
		}
		became = append(became, sound...)
	}
	return became, packets, nil
}
