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

// An upload is a request whose batch is being read or taken.
type upload struct {
	out      *http.ResponseController
	replaced chan struct{} // closed when there is a newer one
	read     bool          // its batch has come; under end.mu
}

// serveUp takes a batch. A newer one ends the reading of one before, whose client has given it up, and
// its waiting for room: a session has one body in memory, and no more.
func (s *session) serveUp(w http.ResponseWriter, r *http.Request) {
	u := &upload{out: http.NewResponseController(w), replaced: make(chan struct{})}
	s.beginUpload(u)
	defer s.endUpload(u)
	text, err := s.read(u, w, r)
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
	_ = u.out.SetWriteDeadline(time.Now().Add(holdTimeout + writeTimeout)) // not every ResponseWriter can
	done, e := s.take(r.Context(), &b, u.replaced)
	if e != nil {
		entrance.Refuse(w, r, e.Error(), http.StatusBadRequest)
		return
	}
	answer(w, done)
}

// beginUpload makes u the upload of the session; the one before ends.
func (s *session) beginUpload(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.put; old != nil {
		close(old.replaced)
		if !old.read {
			_ = old.out.SetReadDeadline(time.Unix(1, 0)) // not every ResponseWriter can
		}
	}
	s.put = u
	_ = u.out.SetReadDeadline(time.Now().Add(bodyTimeout))
}

func (s *session) endUpload(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.put == u { // otherwise there is a newer one
		s.put = nil
	}
}

// read reads the body of a batch. What is announced costs nothing yet.
func (s *session) read(u *upload, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var text bytes.Buffer
	_, err := io.Copy(&text, http.MaxBytesReader(w, r.Body, maxBatch))
	s.mu.Lock()
	defer s.mu.Unlock()
	u.read = true
	if s.put != u && r.ProtoMajor == 1 {
		// A newer one has ended the reading of this request, perhaps when it was at its end. By then the
		// server reads ahead in the connection, and takes that it cannot for the end of all its requests.
		w.Header().Set("Connection", "close")
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
