package uplink

import (
	"slices"
	"time"

	"noom/signal"
)

// avoidFor is how long a hub that has failed is tried behind the others.
const avoidFor = 30 * time.Second

// hubs says which of several hubs are tried, and in which order: as the room ranks them, those that have failed lately
// behind, and none that wants to be left alone before its time. It is pure: time is passed in. noom.js has the same machine
// (browser/hubs.js).
type hubs struct {
	list []hubState // in the room's order
}

// A hubState is what is known of one hub.
type hubState struct {
	signal.HubDialer

	avoided time.Time // until then others go first
	barred  time.Time // until then it wants not to be dialled
}

// hubsOf returns the hubs of a dialer.
func hubsOf(d signal.Dialer, room string) hubs {
	if several, can := d.(signal.HubsDialer); can {
		if list := several.Hubs(room); len(list) > 0 {
			h := hubs{list: make([]hubState, len(list))}
			for i := range list {
				h.list[i].HubDialer = list[i]
			}
			return h
		}
	}
	return hubs{list: []hubState{{HubDialer: signal.HubDialer{Dialer: d}}}}
}

// order returns the indices of the hubs to try now.
func (h *hubs) order(now time.Time) []int {
	order := make([]int, 0, len(h.list))
	for i := range h.list {
		if !h.list[i].barred.After(now) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return h.avoided(a, now).Compare(h.avoided(b, now)) })
	return order
}

// avoided is until when a hub is avoided; the same for all that are not.
func (h *hubs) avoided(i int, now time.Time) time.Time {
	if until := h.list[i].avoided; until.After(now) {
		return until
	}
	return now
}

// failed notes that a hub could not be used, and for how long it wants to be left alone.
func (h *hubs) failed(i int, now time.Time, retry time.Duration) {
	h.list[i].avoided, h.list[i].barred = now.Add(avoidFor), now.Add(retry)
}

// worked notes that a hub has let us in.
func (h *hubs) worked(i int) { h.list[i].avoided, h.list[i].barred = time.Time{}, time.Time{} }

// wait returns how long it is until a hub may be dialled; 0: one may be now.
func (h *hubs) wait(now time.Time) time.Duration {
	least := h.list[0].barred.Sub(now)
	for i := range h.list {
		least = min(least, h.list[i].barred.Sub(now))
	}
	return max(least, 0)
}
