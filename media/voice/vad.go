package voice

import "time"

// blockTime is what a [VAD] decides about at a time.
const blockTime = 10 * time.Millisecond

// Block is 10 ms of what one member says.
type Block struct {
	// PCM is mono, at Rate samples a second. It is good until Speech returns.
	PCM  []int16
	Rate int
	// Level is how loud it is, in dBov, from -127, silence, to 0: as it was measured or as its sender says (RFC 6464),
	// whichever is less, because what a sender calls silence is none of its user's speech.
	Level int
}

// VAD decides whether there is speech (voice activity detection). Each track has its own, which is called for all of
// its sound in order, by one goroutine; it should return within a millisecond.
type VAD interface {
	Speech(b Block) bool
}

// The numbers of energyVAD, in dB.
const (
	beginMargin = 10  // above the noise: speech begins
	stayMargin  = 6   // above the noise: it goes on
	leastSpeech = -50 // what is softer is no speech, in however quiet a place
	leastNoise  = -90
	mostNoise   = -35 // what is louder by the margin is speech, in however noisy a place
)

// noiseWindow is how many blocks the noise is looked for in: speech has a pause in a second and a half.
const noiseWindow = 150

// energyVAD takes for speech what is louder than the noise before it: the softest block of the last one to two windows.
type energyVAD struct {
	blocks    int // of the window
	now, past int // the softest block of this window, and of the one before
	speaks    bool
}

// NewVAD returns the VAD that [Listen] uses by default. It follows the noise of a place within three seconds, and takes
// for speech what is louder by 10 dB; so a steady tone is speech for three seconds at most, unless it is loud.
func NewVAD() VAD { return &energyVAD{past: leastNoise} }

func (v *energyVAD) Speech(b Block) bool {
	if v.blocks == 0 || b.Level < v.now {
		v.now = b.Level
	}
	noise := min(max(min(v.now, v.past), leastNoise), mostNoise)
	if v.blocks++; v.blocks == noiseWindow {
		v.blocks, v.past = 0, v.now
	}
	margin := beginMargin
	if v.speaks {
		margin = stayMargin
	}
	v.speaks = b.Level >= max(noise+margin, leastSpeech)
	return v.speaks
}
