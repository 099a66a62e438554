package ws

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/gobwas/ws"

	"noom/signal"
)

// Server is what serves a hub's end of a connection: a *hub.Hub.
type Server interface {
	Serve(ctx context.Context, s signal.Signaler) error
}

// AcceptOptions say whom a [Handler] accepts. Nil works.
type AcceptOptions struct {
	// OriginPatterns are the hosts whose pages may connect beside the hub's
	// own, as patterns of [path.Match]: "example.com", "*.example.com"; with a
	// scheme, "https://example.com", the scheme must match too. "*" lets in every
	// page of the web. A client that is no browser sends no Origin and always
	// passes; for authentication there is hub.Config's Authorize.
	OriginPatterns []string

	// ClientAddress says where a request comes from, for a hub behind a proxy
	// that tells in a header of its own: a header that clients could set too would
	// let them choose. The hub counts connections by it. Nil: the other end
	// of the TCP connection.
	ClientAddress func(*http.Request) netip.Addr
}

// Handler serves members over WebSocket. It answers 426 to what is no
// WebSocket request, 400 to one without the subprotocol [Subprotocol], and 403
// to a page from elsewhere. Headers that were set before go with the answer. A
// connection outlives its request: an [http.Server]'s Shutdown does not end it,
// the hub's does.
func Handler(h Server, o *AcceptOptions) http.Handler {
	if o == nil {
		o = &AcceptOptions{}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why, status := refusal(r, o); why != "" {
			if status == http.StatusUpgradeRequired {
				w.Header().Set("Upgrade", "websocket") // RFC 9110 section 15.5.22
				w.Header().Set("Connection", "Upgrade")
			}
			http.Error(w, why, status)
			return
		}
		l := upgrade(w, r, o)
		if l == nil {
			return // it has answered
		}
		ctx := context.WithoutCancel(r.Context())
		// On a goroutine of its own the connection does without the stack and
		// the buffers that net/http has grown for the request.
		go func() {
			_ = h.Serve(ctx, l) // the hub logs it
			_ = l.Close()       // never fails
		}()
	})
}

// refusal says why a request cannot become a connection of a member, if so.
func refusal(r *http.Request, o *AcceptOptions) (why string, status int) {
	switch {
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return "this is a noom hub; it speaks WebSocket", http.StatusUpgradeRequired
	case !offers(r, Subprotocol):
		return "this is a noom hub; offer the WebSocket subprotocol " + Subprotocol, http.StatusBadRequest
	case !admits(r, o.OriginPatterns):
		return "this is a noom hub; it does not speak with pages from " + r.Header.Get("Origin"), http.StatusForbidden
	}
	return "", 0
}

// upgrade agrees to the opening handshake (RFC 6455 section 4.2), or answers why
// it does not and returns nil.
func upgrade(w http.ResponseWriter, r *http.Request, o *AcceptOptions) *served {
	upgrader := ws.HTTPUpgrader{
		Timeout:  writeTimeout,
		Protocol: func(offered string) bool { return offered == Subprotocol },
	}
	if len(w.Header()) > 0 { // to write none of them takes long
		upgrader.Header = w.Header()
	}
	conn, rw, _, err := upgrader.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			_ = conn.Close() // it was told why
		}
		return nil
	}
	// The server's own buffers, 4 KiB each way, are left behind.
	var early []byte
	if n := rw.Reader.Buffered(); n > 0 {
		early = make([]byte, n)
		_, _ = io.ReadFull(rw.Reader, early) // it has them
	}
	return newServed(conn, early, endpoint(r), clientAddress(r, o))
}

// offers reports whether a request offers a WebSocket subprotocol.
func offers(r *http.Request, protocol string) bool {
	for _, header := range r.Header.Values("Sec-Websocket-Protocol") {
		for offered := range strings.SplitSeq(header, ",") {
			if strings.TrimSpace(offered) == protocol {
				return true
			}
		}
	}
	return false
}

// admits reports whether the page that a request comes from, if any, may connect
// (RFC 6455 section 10.2): one of the host itself, or of one that a pattern fits.
func admits(r *http.Request, patterns []string) bool {
	header := r.Header.Get("Origin")
	if header == "" {
		return true
	}
	origin, err := url.Parse(strings.ToLower(header))
	if err != nil || origin.Host == "" { // "null", for a page without one
		return slices.Contains(patterns, "*")
	}
	if origin.Host == strings.ToLower(r.Host) {
		return true
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		name := origin.Host
		if strings.Contains(pattern, "://") {
			name = origin.Scheme + "://" + name
		}
		fits, _ := path.Match(strings.ToLower(pattern), name) // a bad pattern fits nothing
		return fits
	})
}

// endpoint is the host that the client dialled.
func endpoint(r *http.Request) string {
	port := ":80"
	if r.TLS != nil {
		port = ":443"
	}
	return strings.TrimSuffix(strings.ToLower(r.Host), port)
}

// clientAddress is where a request comes from.
func clientAddress(r *http.Request, o *AcceptOptions) netip.Addr {
	if o.ClientAddress != nil {
		return o.ClientAddress(r)
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a server on something else than TCP
	}
	return from.Addr()
}
