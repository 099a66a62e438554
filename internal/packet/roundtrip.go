package packet

import "time"

// maxRoundTrip is the longest round trip that is believed. What a peer reports beyond it is a mistake or a lie.
const maxRoundTrip = 30 * time.Second

// RoundTrip returns how long a packet takes there and back, according to a report block (RFC 3550 section 6.4.1) that has
// come now: the time since the sender report that the peer got last, without that for which the peer has kept it. It
// reports false if the block does not say, or says what cannot be; then the round trip is 0.
func RoundTrip(lastSenderReport, delay uint32, now time.Time) (d time.Duration, ok bool) {
	if lastSenderReport == 0 {
		return 0, false
	}
	units := int32(NTP(now) - lastSenderReport - delay)
	d = time.Duration(units) * time.Second / (1 << 16)
	if d <= -time.Millisecond || d > maxRoundTrip {
		return 0, false
	}
	return max(d, 0), true // both clocks of a block are rounded
}

// NTP returns the middle 32 bits of an NTP timestamp, as sender reports and report blocks have them: units of 1/65536 s.
func NTP(t time.Time) uint32 {
	return uint32(FullNTP(t) >> 16)
}

// FullNTP returns an NTP timestamp, as sender reports have it: seconds since 1900, modulo 2^32, and 32 bits of fraction.
func FullNTP(t time.Time) uint64 {
	const from1900 = 2_208_988_800 // to 1970
	return uint64(uint32(t.Unix()+from1900))<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}
