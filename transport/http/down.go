package http

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"noom/internal/entrance"
)

const (
	pollTimeout  = 20 * time.Second // for something to come, of a response that is not streamed
	streamBeat   = 15 * time.Second // of silence, after which a comment shows that the stream lives
	writeTimeout = 10 * time.Second // for one write
	writeBytes   = 64 << 10         // from how many on frames go into the next write
)

// A download is a response in which frames go down.
type download struct {
	context.Context // the request's

	session  *session
	out      http.ResponseWriter
	replaced chan struct{} // closed when there is a newer one
	from     int64         // the number of the last event that was written
}

// serveDown writes the events behind the cursor: as they come, or, if no stream is asked for, those
// that there are, or the first to come within 20 s.
func (s *session) serveDown(w http.ResponseWriter, r *http.Request) {
	var cursor int64
	ok := true
	if text := r.Header.Get(cursorHeader); text != "" {
		cursor, ok = parseNumber([]byte(text))
	}
	d := &download{r.Context(), s, w, make(chan struct{}), cursor}
	if !ok || !s.attach(d) {
		entrance.Refuse(w, r, "there was no such event", http.StatusBadRequest)
		return
	}
	defer s.detach(d)
	// The server's time limit is not for silence: over HTTP/2 it would reset the response. What the server
	// writes behind it has one again, where the server knows them; not every ResponseWriter can.
	_ = d.control().SetWriteDeadline(time.Time{})
	defer func() { _ = d.control().SetWriteDeadline(time.Now().Add(writeTimeout)) }()
	if !wantsStream(r) || !d.stream() {
		d.poll()
	}
}

func (d *download) control() *http.ResponseController { return http.NewResponseController(d.out) }

// stream writes events as they come. It reports false, and has written nothing, where something around
// the server's ResponseWriter holds everything back until the response has ended.
func (d *download) stream() bool {
	header := d.out.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // else nginx holds events back
	if errors.Is(d.control().Flush(), http.ErrNotSupported) {
		return false
	}
	if d.write([]byte(streamHello)) {
		d.writeAsTheyCome()
	}
	return true
}

func (d *download) writeAsTheyCome() {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for silent := false; ; {
		wrote, more := d.writeEvents()
		if !more {
			return
		}
		if wrote {
			silent = false
			continue
		}
		switch d.await(beat.C) {
		case awaitedEnd:
			return
		case awaitedTime:
			if silent && !d.write([]byte(": still here\n\n")) {
				return
			}
			silent = true
		case awaitedEvents:
		}
	}
}

// poll writes the events that there are, or the first to come.
func (d *download) poll() {
	d.out.Header().Set("Content-Type", "text/plain; charset=utf-8") // some proxies have a way of their own with streams
	late := time.NewTimer(pollTimeout)
	defer late.Stop()
	buffer := eventTexts.Get().(*[]byte)
	defer eventTexts.Put(buffer)
	for {
		text, last := d.events((*buffer)[:0])
		*buffer = text
		if len(text) > 0 || last {
			d.reply(text, last)
			return
		}
		switch d.await(late.C) {
		case awaitedEvents:
		case awaitedEnd, awaitedTime:
			d.reply(nil, false)
			return
		}
	}
}

// reply answers with a whole response.
func (d *download) reply(text []byte, last bool) {
	d.out.Header().Set("Content-Length", strconv.Itoa(len(text)))
	if d.write(text) && last {
		d.session.know()
	}
}

// What await has awaited.
type awaited int

const (
	awaitedEvents awaited = iota
	awaitedTime
	awaitedEnd
)

// await waits for events to write.
func (d *download) await(late <-chan time.Time) awaited {
	select {
	case <-d.session.outbound:
		select {
		case <-d.replaced: // it was meant for the newer one
		default:
			return awaitedEvents
		}
	case <-late:
		return awaitedTime
	case <-d.replaced:
	case <-d.session.over:
	case <-d.Done():
	}
	poke(d.session.outbound)
	return awaitedEnd
}

// eventTexts hold what is written.
var eventTexts = sync.Pool{New: func() any {
	b := make([]byte, 0, 4<<10)
	return &b
}}

// writeEvents writes the events that there are. It reports whether it has, and whether more may come.
func (d *download) writeEvents() (wrote, more bool) {
	buffer := eventTexts.Get().(*[]byte)
	defer eventTexts.Put(buffer)
	text, last := d.events((*buffer)[:0])
	*buffer = text
	if len(text) > 0 && !d.write(text) {
		return true, false
	}
	if last {
		d.session.know()
	}
	return len(text) > 0, !last
}

// events appends the events behind the last that was written. last reports that nothing comes behind.
func (d *download) events(text []byte) (_ []byte, last bool) {
	s := d.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return text, true
	}
	first, frames, end := s.out.after(d.from, writeBytes)
	for i, frame := range frames {
		d.from = first + int64(i)
		text = appendEvent(text, d.from, frame)
	}
	if end == nil {
		return text, false
	}
	d.from = s.out.last()
	return appendEnding(text, d.from, end), true
}

// write writes with a deadline, where the server knows them. It does not stay: over HTTP/2 it is a
// timer that resets the response, whether something is being written by then or not.
func (d *download) write(text []byte) bool {
	out := d.control()
	_ = out.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every ResponseWriter can
	if _, err := d.out.Write(text); err != nil {
		return false
	}
	if err := out.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return false
	}
	_ = out.SetWriteDeadline(time.Time{})
	return true
}
