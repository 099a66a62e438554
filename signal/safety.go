package signal

import (
	"crypto/sha512"
	"fmt"
	"strings"
)

// SafetyNumber is what two members compare over another channel, by voice or on paper, to know that
// no hub stands between them (PROTOCOL.md section 3). It is the same for both, and values are
// compared with ==.
//
// Digits carries 199 bits and Emoji 144. A man in the middle needs two keys that give both victims
// the same number, one for each; he may choose both, so that by a birthday search it takes 2^99
// tries, or 2^72, each with a fresh key pair. A number short enough to be read out at once would
// fall in seconds, because nothing commits to a key before it is seen.
type SafetyNumber struct {
	Digits string // 12 groups of 5 digits, with spaces between
	Emoji  string // 24 emoji of [SafetyEmoji], with spaces between
}

// String returns the digits.
func (n SafetyNumber) String() string { return n.Digits }

// SafetyEmoji are what a safety number is written with, 6 bits each: of
// Unicode 6.0 or older, each a single code point that is shown in colour
// without being asked to, and none like another.
const SafetyEmoji = "🐶🐱🐴🐷🐘🐰🐼🐔🐧🐢🐟🐙🐌🐝🐫🐸" +
	"🌵🌲🌹🍄🌙🔥🌈⭐🍎🍌🍇🍓🍉🌽🍕🎂" +
	"🎈🎁🏆⚽🎸🎺🔔🔑🔨💡📖🚀🚗🚲🚢🚂" +
	"⏰📷💎👑👓👟🎩👻⛄☔🏠📌🎲🎨💰🎹"

// SafetyNumberOf returns the safety number of two members by their ids, in
// either order.
func SafetyNumberOf(a, b string) SafetyNumber {
	if b < a {
		a, b = b, a
	}
	sum := sha512.Sum512([]byte("noom.v1 safety\n" + a + "\n" + b))

	groups := make([]string, 12)
	for i := range groups {
		var n uint64
		for _, octet := range sum[5*i : 5*i+5] {
			n = n<<8 | uint64(octet)
		}
		groups[i] = fmt.Sprintf("%05d", n%100_000)
	}

	alphabet := []rune(SafetyEmoji)
	emoji := make([]string, 0, 24)
	for i := 0; i < 18; i += 3 {
		n := uint32(sum[i])<<16 | uint32(sum[i+1])<<8 | uint32(sum[i+2])
		for shift := 18; shift >= 0; shift -= 6 {
			emoji = append(emoji, string(alphabet[n>>shift&63]))
		}
	}
	return SafetyNumber{strings.Join(groups, " "), strings.Join(emoji, " ")}
}
