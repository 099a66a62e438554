// Package rendezvous ranks hubs for a room by a hash of both. Each room ranks the hubs in an order of its own, which all
// compute alike, so that a hub more or less moves only the rooms that it gains or loses. It is pure. noom.js has the same
// (browser/hubs.js).
package rendezvous

import "hash/fnv"

// Rank is how a hub ranks for a room: the hub of the highest is the first. It is the same in all versions, because members
// and hubs of several may be together: FNV-1a of 64 bits over the room, a zero byte and the hub, then [Mix].
func Rank(room, hub string) uint64 {
	f := fnv.New64a()
	_, _ = f.Write([]byte(room)) // a hash never fails
	_, _ = f.Write([]byte{0})
	_, _ = f.Write([]byte(hub))
	return Mix(f.Sum64())
}

// Mix spreads what differs in few bits over all (the finalizer of SplitMix64).
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
