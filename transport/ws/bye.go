package ws

import (
	"errors"
	"io"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"noom/internal/entrance"
	"noom/signal"
)

// This file takes byes of members whose pages go away. Some browsers close a page's WebSockets before the page hears
// that it goes, so it posts its bye, which the browser sends even if the page is gone.

// A ByeTaker takes what was posted: a bye that its member has signed for one connection. A *hub.Hub is one.
type ByeTaker interface {
	// TakeBye reads no more of bye than it needs. from is where it comes from, invalid if that is
	// not known. A [*signal.Error] says why it was not taken.
	TakeBye(bye io.Reader, from netip.Addr) error
}

// byeTimeout bounds the time in which a bye has to come.
const byeTimeout = 5 * time.Second

// takeBye answers a posted bye: 204, whether there is such a member or not, or what is wrong with it.
func takeBye(w http.ResponseWriter, r *http.Request, h ByeTaker, o *AcceptOptions) {
	if why, status := foreign(r, o); why != "" {
		entrance.Refuse(w, r, why, status)
		return
	}
	header := w.Header()
	if origin := r.Header.Get("Origin"); origin != "" { // admitted; without this the browser logs an error
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
		header.Add("Vary", "Origin")
	}
	header.Set("Cache-Control", "no-store")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(byeTimeout)) // not every ResponseWriter can
	err := h.TakeBye(r.Body, entrance.Address(r, o.ClientAddress))
	if err == nil || errors.Is(err, &signal.Error{Code: signal.CodeNoSuchMember}) { // nobody learns by trying who is there
		w.WriteHeader(http.StatusNoContent)
		return
	}
	status := http.StatusBadRequest
	if refusal, ok := errors.AsType[*signal.Error](err); ok {
		status = byeStatus(refusal.Code)
		if refusal.RetryAfter > 0 {
			header.Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
		}
	}
	entrance.Refuse(w, r, err.Error(), status)
}

// byeStatus is the HTTP status for a refusal.
func byeStatus(code signal.Code) int {
	switch code {
	case signal.CodeTooMany:
		return http.StatusTooManyRequests
	case signal.CodeTooBig:
		return http.StatusRequestEntityTooLarge
	default:
		return http.StatusBadRequest
	}
}
