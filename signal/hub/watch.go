package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// RoomInfo describes an open room.
type RoomInfo struct {
	Name    string `json:"name"`
	Members int    `json:"members"` // at least 1
}

const (
	// watchPace is the least time between two lists.
	watchPace = 250 * time.Millisecond
	// watchBytes is how many bytes a second lists may cost, to all watchers
	// together: where it is more the next list comes later.
	watchBytes = 32 << 20
	// eventComment is the silence after which RoomsHandler writes a comment, so that proxies keep
	// the connection and a dead one is noticed.
	eventComment = 15 * time.Second
	// eventWrite bounds one write to a watcher.
	eventWrite = 10 * time.Second
)

// Rooms returns the rooms that have members, sorted by name. A member that was sent bye no longer
// counts. In a cluster these are the rooms of all hubs; of those in which no member is connected to
// this hub it knows what their hubs have said last, which is a second old ([Hub.RoomsAge]).
func (h *Hub) Rooms() []RoomInfo {
	list, _ := h.rooms()
	return slices.Clone(list)
}

// Watch gives the list of open rooms, as [Hub.Rooms] does, at once and then
// whenever it has changed: always the newest list, at most four a second. It
// ends with ctx and when the hub is shut down.
func (h *Hub) Watch(ctx context.Context) iter.Seq[[]RoomInfo] {
	return func(yield func([]RoomInfo) bool) {
		w := h.watch()
		defer h.unwatch()
		for {
			list, more := w.next(ctx, nil)
			if !more || !yield(slices.Clone(list.rooms)) {
				return
			}
		}
	}
}

// RoomsHandler serves the list of rooms as server-sent events (PROTOCOL.md section 7): for GET
// /rooms next to the WebSocket endpoint. Each event's data is the whole list as JSON. A stream ends
// with its request and with [Hub.Shutdown]; it lifts the server's time limits for itself. Lists
// come at most four a second, and more slowly where many watch many rooms. There are at most as
// many streams as Config.MaxMembers, counted apart from connections, and from one address as many
// as Config.MaxPerAddress; another one is answered with 503 or 429. Everyone who reaches it may
// read it; where that is too much, wrap it, in the Guard of noom/signal/hub/token for instance, and
// in ws.OnlyHosts against pages whose foreign name was pointed here.
func (h *Hub) RoomsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			refuseRequest(w, r, "the list of rooms is for GET", http.StatusMethodNotAllowed)
			return
		}
		from := h.watcherAddress(r)
		if why, status := h.seat(from); status != 0 {
			w.Header().Set("Retry-After", "10")
			refuseRequest(w, r, why, status)
			return
		}
		defer h.unseat(from)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no") // else nginx holds events back
		h.stream(r.Context(), w)
	})
}

// refuseRequest answers with an error, and does not wait for a body that may never come.
func refuseRequest(w http.ResponseWriter, r *http.Request, why string, status int) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // not every ResponseWriter can
	}
	http.Error(w, why, status)
}

// watcherAddress is where a watcher comes from, invalid if that is not known.
func (h *Hub) watcherAddress(r *http.Request) netip.Addr {
	if h.config.ClientAddress != nil {
		return h.config.ClientAddress(r)
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a server on something else than TCP
	}
	return from.Addr()
}

// seat counts a stream in, or says with what status it is refused.
func (h *Hub) seat(from netip.Addr) (why string, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := &h.board
	switch {
	case b.streams >= h.config.MaxMembers:
		return "too many watch the list of rooms", http.StatusServiceUnavailable
	case !b.near.add(from):
		return "too many watch the list of rooms from this address", http.StatusTooManyRequests
	}
	b.streams++
	return "", 0
}

func (h *Hub) unseat(from netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.board.streams--
	h.board.near.remove(from)
}

func (h *Hub) stream(ctx context.Context, w http.ResponseWriter) {
	watch := h.watch()
	defer h.unwatch()
	comments := time.NewTicker(eventComment)
	defer comments.Stop()
	// What the server writes behind the stream has a limit again; not every ResponseWriter can.
	defer func() { _ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(eventWrite)) }()
	for {
		list, more := watch.next(ctx, comments.C)
		if !more {
			return
		}
		event := comment
		if list != nil {
			event = list.event()
		}
		if !writeEvent(w, event) {
			return
		}
		h.spent.Add(int64(len(event)))
	}
}

var comment = []byte(": still here\n\n")

// writeEvent writes with a deadline, where the server knows them. It does not stay, and neither does the
// server's own: over HTTP/2 it is a timer that resets the stream, though nothing is being written.
func writeEvent(w http.ResponseWriter, event []byte) bool {
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Now().Add(eventWrite)) // not every ResponseWriter can
	if _, err := w.Write(event); err != nil {
		return false
	}
	if out.Flush() != nil {
		return false
	}
	_ = out.SetWriteDeadline(time.Time{})
	return true
}

// A roomList is the list of open rooms as it was once. It never changes.
type roomList struct {
	rooms []RoomInfo
	event func() []byte // the same as a server-sent event, encoded when it is first asked for
}

func newRoomList(rooms []RoomInfo) *roomList {
	return &roomList{rooms, sync.OnceValue(func() []byte { return roomsEvent(rooms) })}
}

func roomsEvent(list []RoomInfo) []byte {
	var b bytes.Buffer
	b.WriteString("data: ")
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false) // it makes six bytes of one, and this is not HTML
	if err := out.Encode(list); err != nil {
		panic(err) // strings and numbers
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// A board holds the list of rooms for its watchers: one list for all of them, so that their number
// does not matter when it changes. The hub owns it, behind its lock.
type board struct {
	streams  int   // of RoomsHandler
	near     crowd // how many of those come from where
	watchers int   // streams, and calls of Watch
	shown    *roomList
	since    time.Time     // when shown was put up, or was found to hold still
	as       int           // h.changes by then
	due      bool          // putUp is on its way
	replaced chan struct{} // closed when shown is replaced, and when the hub closes; nil: there are no watchers
}

// A watcher reads the board.
type watcher struct {
	hub      *Hub
	list     *roomList // as it was last read; nil: not yet
	given    time.Time // when that was
	replaced <-chan struct{}
}

// watch begins to watch, until unwatch.
func (h *Hub) watch() *watcher {
	h.mu.Lock()
	b := &h.board
	b.watchers++
	if b.replaced == nil {
		b.replaced = make(chan struct{})
	}
	old := b.shown == nil || b.as != h.changes && !b.due
	h.mu.Unlock()
	if old {
		h.putUp()
	}
	return &watcher{hub: h}
}

func (h *Hub) unwatch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := &h.board; b.watchers > 1 {
		b.watchers--
	} else {
		b.watchers, b.shown, b.replaced = 0, nil, nil
	}
}

// next returns a list that w has not had, or nil at a tick. more is false when ctx
// or the hub has ended.
func (w *watcher) next(ctx context.Context, tick <-chan time.Time) (list *roomList, more bool) {
	if w.list != nil {
		select {
		case <-w.replaced:
		case <-tick:
			return nil, true
		case <-ctx.Done():
			return nil, false
		}
		select {
		case <-time.After(time.Until(w.given.Add(watchPace))): // at once if that is long ago
		case <-ctx.Done():
			return nil, false
		}
	}
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	if w.hub.closing || ctx.Err() != nil {
		return nil, false
	}
	b := &w.hub.board
	w.list, w.replaced, w.given = b.shown, b.replaced, time.Now()
	return w.list, true
}

// putUp puts up the list as it is now.
func (h *Hub) putUp() {
	rooms, as := h.rooms()
	h.mu.Lock()
	defer h.mu.Unlock()
	b := &h.board
	b.due = false
	if h.closing || b.watchers == 0 {
		return
	}
	if as >= b.as || b.shown == nil { // otherwise another goroutine was faster
		cost := time.Duration(h.spent.Swap(0)) * time.Second / watchBytes
		b.since, b.as = time.Now().Add(max(0, cost-watchPace)), as
		if b.shown == nil || !slices.Equal(rooms, b.shown.rooms) {
			b.shown = newRoomList(rooms)
			close(b.replaced)
			b.replaced = make(chan struct{})
		}
	}
	h.keepBoard()
}

// keepBoard sees to it that what is shown will be what is so; the caller holds h.mu.
func (h *Hub) keepBoard() {
	b := &h.board
	if b.watchers > 0 && b.shown != nil && b.as != h.changes && !b.due {
		b.due = true
		time.AfterFunc(time.Until(b.since.Add(watchPace)), h.putUp)
	}
}

// rooms returns the list of open rooms, which the caller must not change, and
// h.changes as of then.
func (h *Hub) rooms() (list []RoomInfo, as int) {
	h.mu.Lock()
	if h.list != nil {
		defer h.mu.Unlock()
		return h.list, h.changes
	}
	list, as = make([]RoomInfo, 0, len(h.places)), h.changes
	for name, p := range h.places {
		if n := p.size(); n > 0 {
			list = append(list, RoomInfo{name, n})
		}
	}
	if h.fleet != nil {
		list = h.fleet.others(list)
	}
	h.mu.Unlock()
	slices.SortFunc(list, func(a, b RoomInfo) int { return strings.Compare(a.Name, b.Name) }) // with ten thousand it takes a while
	h.mu.Lock()
	defer h.mu.Unlock()
	if as == h.changes {
		h.list = list
	}
	return list, as
}

// A listing is what the hub's list of rooms has of a place. The hub owns it, behind its lock.
type listing struct {
	name  string
	count int  // members
	owned bool // in a cluster: this hub owns the room, and lists it for the others
}

func (l *listing) size() int { return l.count }

// counted notes how many members p has now, of which r is the room. It forgets p and reports true when there are none.
func counted[C comparable](h *Hub, p place, l *listing, r *room[C]) (gone bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	announce(h, r, l.count)
	h.recount(l, len(r.seats))
	if len(r.seats) > 0 {
		return false
	}
	if h.places[l.name] == p {
		delete(h.places, l.name)
	}
	return true
}

// recount notes how many members a place has; the caller holds h.mu.
func (h *Hub) recount(l *listing, n int) {
	if n != l.count {
		l.count = n
		h.relist()
	}
}

// relist lets the list of rooms be made again; the caller holds h.mu.
func (h *Hub) relist() {
	h.list = nil
	h.changes++
	h.keepBoard()
}

// dismiss ends all watching; the caller holds h.mu, and has set h.closing.
func (h *Hub) dismiss() {
	if h.board.replaced != nil {
		close(h.board.replaced)
	}
}
