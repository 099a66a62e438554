// Package entrance owns what the transports that begin with an HTTP request have in common: which
// requests may come in, by the names of the server, by the origin of a page and from where they
// come; and the URL that a member dials, and why a dial has failed. It keeps no state.
package entrance

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"noom/signal"
)

// RefuseHost says why a request cannot be served for the host that it names, if so. The names are
// as ws.AcceptOptions has them.
func RefuseHost(r *http.Request, hosts []string) (why string, status int) {
	switch {
	case signal.NormalHost(r.Host) == "": // proofs would be bound to nothing
		return "this is a noom hub; say by which name you reach it, in the header Host", http.StatusBadRequest
	case !IsForHosts(r, hosts):
		return Misdirected(r), http.StatusMisdirectedRequest
	}
	return "", 0
}

// RefuseOrigin says why the page that a request comes from is not served, if so.
func RefuseOrigin(r *http.Request, patterns []string) (why string, status int) {
	for _, origin := range r.Header.Values("Origin") {
		if !AdmitsOrigin(r.Host, origin, patterns) {
			return "this is a noom hub; it does not speak with pages from " + signal.Printable(origin), http.StatusForbidden
		}
	}
	return "", 0
}

// Hearsay reports whether, with these hosts, the client alone says what the server is called.
func Hearsay(hosts []string) bool { return len(hosts) == 0 || slices.Contains(hosts, "*") }

// Refuse answers a request that is not served. It does not wait for a body: a server without a
// ReadTimeout would, for as long as that takes.
func Refuse(w http.ResponseWriter, r *http.Request, why string, status int) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // not every ResponseWriter can
	}
	http.Error(w, why, status)
}

// Address is where a request comes from, as say says; nil: the other end of the TCP connection.
func Address(r *http.Request, say func(*http.Request) netip.Addr) netip.Addr {
	if say != nil {
		return say(r)
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr) // with the zone, if it has one
	if err != nil {
		return netip.Addr{} // a server on something else than TCP
	}
	return from.Addr()
}

// HeaderListHas reports whether a header that is a list has that token, in either case.
func HeaderListHas(h http.Header, name, token string) bool {
	return slices.ContainsFunc(HeaderList(h, name), func(t string) bool { return strings.EqualFold(t, token) })
}

// HeaderList returns the elements of a header that is a list, which may be spread over
// several lines (RFC 9110 sections 5.3 and 5.6.1).
func HeaderList(h http.Header, name string) []string {
	var all []string
	for _, line := range h.Values(name) {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.Trim(element, " \t"); element != "" {
				all = append(all, element)
			}
		}
	}
	return all
}
