package hub

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"noom/internal/ownership"
	"noom/signal"
)

// This file lets each hub of a cluster list the rooms of all. The owner of a room lists it. Each second a hub says which
// rooms it owns if that has changed, or that it has not, and from time to time it says all again, because messages may be
// lost.

const (
	listBeats   = 2    // from one list to the next
	repairBeats = 20   // until a list that has not changed is said again
	roomsOnPage = 1000 // of a list
	mostPages   = 256
)

// A roomsPage is a part of the list of the rooms that a hub owns.
type roomsPage struct {
	Hub     string     `json:"hub"`
	Version int64      `json:"version"`
	Page    int        `json:"page,omitzero"`
	Pages   int        `json:"pages,omitzero"` // 0: that version still holds
	Rooms   []RoomInfo `json:"rooms,omitempty"`
}

// toldRooms is what this hub has said of its own rooms.
type toldRooms struct {
	version int64
	changes int // of the rooms that are owned here, by then
	beats   int // since the last page
	due     int // beats until the next
	anew    bool
}

// tellRooms tells other hubs which rooms this one owns, when that is due; the caller holds mu.
func (f *fleet) tellRooms() {
	t := &f.told
	t.beats++
	if t.due--; t.due > 0 {
		return
	}
	t.due = listBeats
	own, changes := f.owned()
	if changes == t.changes && t.version > 0 && !t.anew && t.beats < repairBeats {
		f.tellPage(&roomsPage{Version: t.version})
		return
	}
	if changes != t.changes || t.version == 0 {
		t.version++
	}
	t.changes, t.beats, t.anew = changes, 0, false
	pages := slices.Collect(slices.Chunk(own, roomsOnPage))
	if len(pages) == 0 {
		pages = [][]RoomInfo{nil}
	}
	pages = pages[:min(len(pages), mostPages)]
	for i, rooms := range pages {
		f.tellPage(&roomsPage{Version: t.version, Page: i, Pages: len(pages), Rooms: rooms})
	}
}

func (f *fleet) tellPage(p *roomsPage) {
	p.Hub = f.self
	data, err := json.Marshal(p)
	_ = f.publish("rooms", data, err) // it comes again
}

// owned returns the rooms that this hub owns, and how often that has changed.
func (f *fleet) owned() (own []RoomInfo, changes int) {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if f.ownedChanges == f.told.changes && f.told.version > 0 && !f.told.anew && f.told.beats < repairBeats {
		return nil, f.ownedChanges // it will not be said
	}
	for name, p := range f.hub.places {
		if s, ok := p.(*shared); ok && s.owned && s.count > 0 {
			own = append(own, RoomInfo{name, s.count})
		}
	}
	return own, f.ownedChanges
}

// A farList is what this hub knows of the rooms that another owns. Lists are replaced and never changed.
type farList struct {
	version int64
	rooms   []RoomInfo
	since   time.Time // when it was known to hold, or the hub to live

	// A list that is still coming.
	next  int64
	pages [][]RoomInfo
}

// farLists are those of all other hubs that live.
type farLists map[string]*farList

// keep forgets the hubs that do not live, and begins with those that do. It reports whether rooms were forgotten with them.
func (l farLists) keep(hubs []string, self string) (changed bool) {
	for hub, list := range l {
		if !slices.Contains(hubs, hub) {
			changed = changed || len(list.rooms) > 0
			delete(l, hub)
		}
	}
	for _, hub := range hubs {
		if hub != self && l[hub] == nil {
			l[hub] = &farList{since: time.Now()}
		}
	}
	return changed
}

// takeRooms takes a page of another hub.
func (f *fleet) takeRooms(data []byte) {
	p, err := decodePage(data)
	if err != nil {
		f.ignore(err)
		return
	}
	if p.Hub == f.self {
		return
	}
	f.taken(p.Hub)
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if list := f.far[p.Hub]; list != nil && list.take(p, time.Now()) {
		f.hub.relist()
	}
}

func decodePage(data []byte) (*roomsPage, error) {
	if len(data) > ownership.MaxMessage {
		return nil, fmt.Errorf("hub: a page of rooms of %d bytes, at most %d", len(data), ownership.MaxMessage)
	}
	var p roomsPage
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("hub: no page of rooms: %w", err)
	}
	within := ownership.ValidID(p.Hub) && p.Version > 0 && p.Pages >= 0 && p.Pages <= mostPages && len(p.Rooms) <= roomsOnPage &&
		(p.Pages == 0 && p.Page == 0 && len(p.Rooms) == 0 || p.Page >= 0 && p.Page < p.Pages)
	for _, r := range p.Rooms {
		within = within && signal.CheckRoom(r.Name) == nil && r.Members >= 1 && r.Members <= mostMembers
	}
	if !within {
		return nil, fmt.Errorf("hub: a page of rooms of %.40q out of bounds", p.Hub)
	}
	return &p, nil
}

// take takes a page. It reports whether the list has changed.
func (l *farList) take(p *roomsPage, now time.Time) (changed bool) {
	switch {
	case p.Pages == 0:
		if p.Version == l.version {
			l.since = now
		}
		return false
	case p.Page == 0:
		l.next, l.pages = p.Version, nil
	case p.Version != l.next || p.Page != len(l.pages):
		l.pages = nil // one before it was lost
		return false
	}
	if l.pages = append(l.pages, p.Rooms); len(l.pages) < p.Pages {
		return false
	}
	rooms := slices.Concat(l.pages...)
	changed = !slices.Equal(rooms, l.rooms)
	l.version, l.rooms, l.since, l.pages = p.Version, rooms, now, nil
	return changed
}

// others adds the rooms of other hubs to a list; the caller holds the hub's lock.
func (f *fleet) others(list []RoomInfo) []RoomInfo {
	seen := make(map[string]bool, len(list))
	for _, r := range list {
		seen[r.Name] = true
	}
	for _, far := range f.far {
		for _, r := range far.rooms {
			if !seen[r.Name] {
				seen[r.Name] = true
				list = append(list, r)
			}
		}
	}
	return list
}

// RoomsAge is how old what [Hub.Rooms] says of other hubs' rooms may be: the age of the oldest hub's list. It is about a
// second where every hub can be reached, grows while one cannot until that counts as dead, and is 0 without a Cluster.
func (h *Hub) RoomsAge() time.Duration {
	if h.fleet == nil {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var age time.Duration
	for _, l := range h.fleet.far {
		age = max(age, time.Since(l.since))
	}
	return age
}
