package voice

import "math"

// silence is the level of nothing, in dBov.
const silence = -127

// levelOf is the level of sound, in dBov (RFC 6464 section 3): its power as a part of the greatest there can be.
func levelOf(pcm []int16) int {
	power := 0.0
	for _, v := range pcm {
		power += float64(v) * float64(v)
	}
	if power == 0 {
		return silence
	}
	full := float64(len(pcm)) * math.MaxInt16 * math.MaxInt16
	return int(math.Round(min(max(10*math.Log10(power/full), silence), 0)))
}
