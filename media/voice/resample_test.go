package voice

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// power of the sine of a frequency that fits a sound best in its middle, and of what is left without it.
func power(pcm []int16, rate int, hz float64) (tone, rest float64) {
	pcm = pcm[len(pcm)/4 : len(pcm)/4*3]
	var cc, cs, ss, vc, vs float64
	turn := func(i int) (sin, cos float64) { return math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate)) }
	for i, v := range pcm {
		sin, cos := turn(i)
		cc, cs, ss = cc+cos*cos, cs+cos*sin, ss+sin*sin
		vc, vs = vc+float64(v)*cos, vs+float64(v)*sin
	}
	a, b := (vc*ss-vs*cs)/(cc*ss-cs*cs), (vs*cc-vc*cs)/(cc*ss-cs*cs)
	for i, v := range pcm {
		sin, cos := turn(i)
		left := float64(v) - a*cos - b*sin
		rest += left * left / float64(len(pcm))
	}
	return (a*a + b*b) / 2, rest
}

// TestResampler measures the filter: what is below 80 % of the lower rate's bandwidth passes within 0.1 dB and brings
// nothing else along; of what is above that bandwidth nothing is left.
func TestResampler(t *testing.T) {
	const size = 16000
	worstPass, worstNoise, worstStop := 0.0, math.Inf(-1), math.Inf(-1)
	for _, c := range [][2]int{
		{8000, 16000}, {8000, 24000}, {16000, 24000}, {22050, 24000}, {48000, 16000}, {44100, 16000}, {24000, 8000}, {48000, 24000}, {11025, 48000},
	} {
		from, to := c[0], c[1]
		lower := float64(min(from, to))
		for _, part := range []float64{0.02, 0.1, 0.31, 0.5, 0.7, 0.79} {
			hz := part * lower / 2
			r, err := NewResampler(from, to)
			if err != nil {
				t.Fatal(err)
			}
			out := r.Process(sine(from, hz, size, time.Second))
			if got, want := len(out), to; got < want-2 || got > want+2 {
				t.Errorf("%v: %d samples of a second", c, got)
			}
			tone, rest := power(out, to, hz)
			loss := 10 * math.Log10(tone/(size*size/2))
			noise := 10 * math.Log10(rest/tone)
			worstPass, worstNoise = max(worstPass, math.Abs(loss)), max(worstNoise, noise)
			if math.Abs(loss) > 0.1 || noise > -70 {
				t.Errorf("%v: %.0f Hz comes at %.2f dB with %.1f dB of something else", c, hz, loss, noise)
			}
		}
		if from <= to {
			continue
		}
		for _, part := range []float64{1.0, 1.05, 1.3, 1.9} {
			hz := part * lower / 2
			if hz >= float64(from)/2 {
				continue
			}
			r, err := NewResampler(from, to)
			if err != nil {
				t.Fatal(err)
			}
			tone, rest := power(r.Process(sine(from, hz, size, time.Second)), to, float64(to)/7)
			left := 10 * math.Log10((tone+rest)/(size*size/2))
			worstStop = max(worstStop, left)
			if left > -70 {
				t.Errorf("%v: of %.0f Hz there are %.1f dB left", c, hz, left)
			}
		}
	}
	t.Logf("passes within %.3f dB, with %.1f dB of noise; stops %.1f dB", worstPass, worstNoise, worstStop)
}

// TestResamplerInPieces: it does not matter in what pieces sound comes, and Delay is how late it is.
func TestResamplerInPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range [][2]int{{8000, 24000}, {48000, 16000}, {22050, 16000}, {16000, 16000}} {
		whole, err := NewResampler(c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		parts, err := NewResampler(c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		sound := speechLike(c[0], time.Second)
		want := slices.Clone(whole.Process(sound))
		var got []int16
		for rest := sound; len(rest) > 0; {
			n := min(len(rest), rng.IntN(500))
			got = append(got, parts.Process(rest[:n])...)
			rest = rest[n:]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: pieces come out otherwise", c)
		}
		impulse := make([]int16, c[0]/10)
		impulse[c[0]/20] = 30000
		late, err := NewResampler(c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		out := late.Process(impulse)
		peak := slices.Index(out, slices.Max(out))
		expected := c[1]/20 + late.Delay()*c[1]/min(c[0], c[1])
		if d := peak - expected; max(d, -d) > 1+c[1]/min(c[0], c[1]) {
			t.Errorf("%v: the peak is at %d, want %d", c, peak, expected)
		}
	}
}

func TestWrongRates(t *testing.T) {
	for _, c := range [][2]int{{7975, 16000}, {16000, 48025}, {16001, 16000}, {0, 8000}, {8000, -8000}} {
		if _, err := NewResampler(c[0], c[1]); !errors.Is(err, ErrRate) {
			t.Errorf("%v: %v", c, err)
		}
	}
}
