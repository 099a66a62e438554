package http

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"noom/internal/entrance"
	"noom/signal"
)

const (
	bodyTimeout = 10 * time.Second // for a batch to be on its way
	holdTimeout = 5 * time.Second  // for the hub to make room for it
)

// serveUp takes a batch. A newer one ends the reading of one before, whose client has given it up.
func (s *session) serveUp(w http.ResponseWriter, r *http.Request) {
	text, err := s.read(w, r)
	if tooBig, is := errors.AsType[*http.MaxBytesError](err); is {
		s.refuse(signal.Errorf(signal.CodeTooBig, "", "a batch of more than %d bytes", tooBig.Limit))
		entrance.Refuse(w, r, "a batch is too big", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		entrance.Refuse(w, r, "the batch broke off", http.StatusBadRequest)
		return
	}
	b, e := parseBatch(text)
	if e != nil {
		s.refuse(e)
		entrance.Refuse(w, r, e.Error(), http.StatusBadRequest)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(holdTimeout + writeTimeout)) // not every ResponseWriter can
	done, e := s.take(r.Context(), &b)
	if e != nil {
		entrance.Refuse(w, r, e.Error(), http.StatusBadRequest)
		return
	}
	answer(w, done)
}

// read reads the body of a batch. What is announced costs nothing yet.
func (s *session) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	out := http.NewResponseController(w)
	s.mu.Lock()
	if s.put != nil {
		_ = s.put.SetReadDeadline(time.Unix(1, 0)) // not every ResponseWriter can
	}
	s.put = out
	_ = out.SetReadDeadline(time.Now().Add(bodyTimeout))
	s.mu.Unlock()
	var text bytes.Buffer
	_, err := io.Copy(&text, http.MaxBytesReader(w, r.Body, maxBatch))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.put == out { // otherwise there is a newer one
		s.put = nil
	}
	return text.Bytes(), err
}

// wantsStream reports whether a request asks for a stream of events, and not for those that there
// are.
func wantsStream(r *http.Request) bool {
	return slices.ContainsFunc(entrance.HeaderList(r.Header, "Accept"), func(kind string) bool {
		kind, _, _ = strings.Cut(kind, ";")
		return strings.TrimSpace(kind) == "text/event-stream"
	})
}
