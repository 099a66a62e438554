package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"
)

// RoomInfo tells of an open room.
type RoomInfo struct {
	Name    string `json:"name"`
	Members int    `json:"members"` // at least 1
}

const (
	// watchPace is the least time between two lists to one watcher.
	watchPace = 250 * time.Millisecond
	// eventComment is after how much silence RoomsHandler writes a comment, so
	// that proxies keep the connection and a dead one is noticed.
	eventComment = 15 * time.Second
	// eventWrite bounds one write to a watcher.
	eventWrite = 10 * time.Second
)

// Rooms returns the rooms that have members, sorted by name. A member that has been
// told bye is not counted any more.
func (h *Hub) Rooms() []RoomInfo {
	list, _ := h.rooms(false)
	return slices.Clone(list)
}

// Watch gives the list of open rooms, as [Hub.Rooms] does, at once and then
// whenever it has changed: always the newest list, at most four a second. It
// ends with ctx and when the hub is shut down.
func (h *Hub) Watch(ctx context.Context) iter.Seq[[]RoomInfo] {
	return func(yield func([]RoomInfo) bool) {
		var last []RoomInfo // nil before the first
		var given time.Time // when last was
		for {
			list, changed := h.rooms(true)
			if last == nil || !slices.Equal(list, last) {
				if !yield(slices.Clone(list)) {
					return
				}
				last, given = list, time.Now()
			}
			if changed == nil {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(time.Until(given.Add(watchPace))): // at once if last is old
			case <-ctx.Done():
				return
			}
		}
	}
}

// RoomsHandler serves the list of rooms as server-sent events (PROTOCOL.md
// section 7): for GET /rooms beside the WebSocket endpoint. Each event's data
// is the whole list as JSON. A stream ends with its request and with
// [Hub.Shutdown]. There are at most as many streams as Config.MaxMembers allows
// connections, beside those; another one is answered with 503. Everyone who
// reaches it may read it; where that is too much, wrap it, in the Guard of
// noom/signal/hub/token for instance.
func (h *Hub) RoomsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "the list of rooms is for GET", http.StatusMethodNotAllowed)
			return
		}
		if h.watchers.Add(1) > int64(h.config.MaxMembers) {
			h.watchers.Add(-1)
			w.Header().Set("Retry-After", "10")
			http.Error(w, "too many watch the list of rooms", http.StatusServiceUnavailable)
			return
		}
		defer h.watchers.Add(-1)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no") // else nginx holds events back
		h.stream(r.Context(), w)
	})
}

func (h *Hub) stream(ctx context.Context, w http.ResponseWriter) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lists := make(chan []RoomInfo)
	go func() {
		defer close(lists)
		for list := range h.Watch(ctx) {
			select {
			case lists <- list:
			case <-ctx.Done():
				return
			}
		}
	}()
	comments := time.NewTicker(eventComment)
	defer comments.Stop()
	for {
		event := ": still here\n\n"
		select {
		case list, more := <-lists:
			if !more {
				return
			}
			event = roomsEvent(list)
		case <-comments.C:
		}
		if !writeEvent(w, event) {
			return
		}
	}
}

func roomsEvent(list []RoomInfo) string {
	var b bytes.Buffer
	b.WriteString("data: ")
	if list == nil {
		list = []RoomInfo{}
	}
	if err := json.NewEncoder(&b).Encode(list); err != nil {
		panic(err) // strings and numbers
	}
	b.WriteByte('\n')
	return b.String()
}

// writeEvent writes with a deadline, where the server knows them.
func writeEvent(w http.ResponseWriter, event string) bool {
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Now().Add(eventWrite)) // not every ResponseWriter can
	if _, err := strings.NewReader(event).WriteTo(w); err != nil {
		return false
	}
	return out.Flush() == nil
}

// rooms returns the list of open rooms, which the caller must not change, and
// if asked to a channel that is closed at its next change, nil if there will
// be none.
func (h *Hub) rooms(watch bool) (list []RoomInfo, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.list == nil {
		h.list = make([]RoomInfo, 0, len(h.homes))
		for _, p := range h.homes {
			if p.count > 0 {
				h.list = append(h.list, RoomInfo{p.room.name, p.count})
			}
		}
		slices.SortFunc(h.list, func(a, b RoomInfo) int { return strings.Compare(a.Name, b.Name) })
	}
	if watch && h.changed == nil && !h.closing {
		h.changed = make(chan struct{})
	}
	return h.list, h.changed
}

// counted notes that p has n members now. It forgets p and reports true when
// there are none.
func (h *Hub) counted(p *home, n int) (gone bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n != p.count {
		p.count = n
		h.announce()
	}
	if n == 0 && h.homes[p.room.name] == p {
		delete(h.homes, p.room.name)
	}
	return n == 0
}

// announce lets watchers look again; the caller holds h.mu.
func (h *Hub) announce() {
	h.list = nil
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}
