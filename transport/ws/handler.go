package ws

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/coder/websocket"

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
	// scheme, "https://example.com", also that must fit. "*" lets in every
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
// to a page from elsewhere. A connection outlives its request: an
// [http.Server]'s Shutdown does not end it, the hub's does.
func Handler(h Server, o *AcceptOptions) http.Handler {
	options := websocket.AcceptOptions{Subprotocols: []string{Subprotocol}}
	if o != nil {
		options.OriginPatterns = o.OriginPatterns
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && !offers(r, Subprotocol) {
			http.Error(w, "this is a noom hub; offer the WebSocket subprotocol "+Subprotocol, http.StatusBadRequest)
			return
		}
		tap := &hijackTap{ResponseWriter: w}
		conn, err := websocket.Accept(tap, r, &options)
		if err != nil {
			return // Accept has answered
		}
		l := newServerLink(conn, tap.stream, endpoint(r))
		l.address = clientAddress(r, o)
		ctx := context.WithoutCancel(r.Context())
		// On a goroutine of its own the connection does without the stack and
		// the buffers that net/http has grown for the request.
		go func() {
			_ = h.Serve(ctx, l) // the hub logs it
			_ = l.Close()       // never fails
		}()
	})
}

// offers reports whether a request offers a WebSocket subprotocol.
func offers(r *http.Request, protocol string) bool {
	for _, header := range r.Header.Values("Sec-Websocket-Protocol") {
		for offered := range strings.SplitSeq(header, ",") {
			if strings.EqualFold(strings.TrimSpace(offered), protocol) {
				return true
			}
		}
	}
	return false
}

// endpoint is the host that the client dialled.
func endpoint(r *http.Request) string {
	port := ":80"
	if r.TLS != nil {
		port = ":443"
	}
	return strings.TrimSuffix(strings.ToLower(r.Host), port)
}
