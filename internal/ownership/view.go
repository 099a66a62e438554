package ownership

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"slices"

	"noom/internal/rendezvous"
)

// A View is which hubs one of them knows to live, and so which of them owns a room. It does not change.
type View struct {
	self    string
	hubs    map[string]standing // with its own
	owners  []string            // who may own rooms
	hash    int64
	settled bool
}

// A standing is what a view knows of one hub.
type standing struct {
	degree   int // how many hear it
	draining bool
	hearsUs  bool
}

// newView finds who may own rooms: of those that do not drain, the ones that most hubs hear. A hub that only some hear
// would be the owner for those alone. If all drain, there is nobody better.
func newView(self string, hubs map[string]standing) *View {
	v := &View{self: self, hubs: hubs}
	best, draining := -1, true
	for _, s := range hubs {
		draining = draining && s.draining
	}
	for _, hub := range slices.Sorted(maps.Keys(hubs)) {
		s := hubs[hub]
		switch {
		case s.draining && !draining, s.degree < best:
		case s.degree > best:
			best, v.owners = s.degree, []string{hub}
		default:
			v.owners = append(v.owners, hub)
		}
	}
	v.hash = v.digest()
	return v
}

// digest is the same at all hubs that know the same. It is never 0 and no larger than what JSON carries exactly.
func (v *View) digest() int64 {
	f := fnv.New64a()
	for _, hub := range slices.Sorted(maps.Keys(v.hubs)) {
		s := v.hubs[hub]
		_, _ = f.Write([]byte(hub)) // a hash never fails
		_, _ = f.Write(binary.BigEndian.AppendUint64(nil, uint64(s.degree)))
		if s.draining {
			_, _ = f.Write([]byte{1})
		}
	}
	return int64(rendezvous.Mix(f.Sum64())>>12) + 1
}

// Owner is the hub that owns a room: each room ranks the hubs in an order of its own, so that a hub more or less moves
// only the rooms that it gains or loses.
func (v *View) Owner(room string) string {
	var owner string
	var top uint64
	for _, hub := range v.owners {
		if rank := rendezvous.Rank(room, hub); owner == "" || rank > top {
			owner, top = hub, rank
		}
	}
	return owner
}

// Has reports whether a hub lives.
func (v *View) Has(hub string) bool {
	_, has := v.hubs[hub]
	return has
}

// HearsUs reports whether a hub knows that this one lives.
func (v *View) HearsUs(hub string) bool { return hub == v.self || v.hubs[hub].hearsUs }

// Settled reports whether every hub has attached its rooms as this view wants it: whatever is known of a room has been
// said to its owner.
func (v *View) Settled() bool { return v.settled }

// Hubs returns the ids of all, sorted.
func (v *View) Hubs() []string { return slices.Sorted(maps.Keys(v.hubs)) }

func (v *View) equal(o *View) bool {
	return v.hash == o.hash && v.settled == o.settled && maps.Equal(v.hubs, o.hubs)
}
