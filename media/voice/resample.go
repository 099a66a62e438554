package voice

import (
	"errors"
	"fmt"
	"math"
)

// Bounds of a Resampler.
const (
	leastRate   = 8000
	highestRate = 48000
	rateStep    = 25 // of rates, in Hz, so that the filter has few phases
)

// resampleTaps is how many samples of the lower rate the filter of a Resampler spans. With the window below it passes
// what is under 80 % of the lower rate's bandwidth, and leaves nothing above it that counts: the test measures both.
const (
	resampleTaps = 48
	resampleBeta = 7.5 // of the Kaiser window: 75 dB
)

// ErrRate is the identity of errors about rates between which a [Resampler] cannot convert.
var ErrRate = errors.New("voice: rate")

// Resampler changes how many samples a second sound has, with a polyphase filter. It belongs to one goroutine.
type Resampler struct {
	// Immutable.
	up, down int         // to and from, without their common divisor
	phases   [][]float32 // of the filter, each in the order of the samples

	line  []float32 // samples that the filter still needs
	phase int       // of the next sample out
	out   []int16
}

// NewResampler returns one from and to a rate of 8000 to 48000 samples a second, each a multiple of 25. Errors wrap
// [ErrRate].
func NewResampler(from, to int) (*Resampler, error) {
	for _, rate := range []int{from, to} {
		if rate < leastRate || rate > highestRate || rate%rateStep != 0 {
			return nil, fmt.Errorf("%w: %d Hz, want %d to %d in steps of %d", ErrRate, rate, leastRate, highestRate, rateStep)
		}
	}
	r := &Resampler{up: to, down: from}
	for a, b := r.up, r.down; ; a, b = b, a%b {
		if b == 0 {
			r.up, r.down = r.up/a, r.down/a
			break
		}
	}
	if from == to {
		return r, nil
	}
	// The filter stands at the rate that both are parts of. It spans the same time whatever the rates are.
	lower := min(from, to)
	taps := (resampleTaps*from + lower - 1) / lower // of each phase, in samples that come
	cutoff := float64(lower) / float64(from) * (1 - (75-7.95)/(14.36*resampleTaps))
	r.phases = make([][]float32, r.up)
	for phase := range r.phases {
		r.phases[phase] = kernel(taps, float64(phase)/float64(r.up), cutoff)
	}
	r.line = make([]float32, taps-1)
	return r, nil
}

// kernel returns a windowed sinc, in samples that come, whose middle is late by a part of one.
func kernel(taps int, late, cutoff float64) []float32 {
	half := float64(taps) / 2
	list, sum := make([]float64, taps), 0.0
	for i := range list {
		at := float64(i) - half + 1 - late
		v := cutoff
		if at != 0 {
			v = math.Sin(math.Pi*cutoff*at) / (math.Pi * at)
		}
		if place := at / half; math.Abs(place) < 1 {
			v *= bessel(resampleBeta * math.Sqrt(1-place*place))
		} else {
			v = 0
		}
		list[i], sum = v, sum+v
	}
	normal := make([]float32, taps) // each phase is as loud as the others
	for i, v := range list {
		normal[i] = float32(v / sum)
	}
	return normal
}

// bessel is the modified Bessel function of order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= x / 2 / k * x / 2 / k
		sum += term
	}
	return sum
}

// Delay returns for how many samples of the lower rate sound stays in the filter: 24, which is 3 ms at 8000, and 0
// where nothing is changed.
func (r *Resampler) Delay() int {
	if r.phases == nil {
		return 0
	}
	return resampleTaps / 2
}

// Process takes samples and returns those that are due, which are good until the next call. What it has returned in all
// is behind what it took by less than one sample.
func (r *Resampler) Process(pcm []int16) []int16 {
	if r.phases == nil {
		return pcm
	}
	for _, v := range pcm {
		r.line = append(r.line, float32(v))
	}
	taps, at := len(r.phases[0]), 0
	r.out = r.out[:0]
	for at+taps <= len(r.line) {
		sum, window := float32(0), r.line[at:at+taps]
		for i, tap := range r.phases[r.phase] {
			sum += tap * window[i]
		}
		r.out = append(r.out, int16(math.RoundToEven(float64(min(max(sum, math.MinInt16), math.MaxInt16)))))
		r.phase += r.down
		at += r.phase / r.up
		r.phase %= r.up
	}
	r.line = r.line[:copy(r.line, r.line[at:])] // a step is shorter than the filter
	return r.out
}
