package ws

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"slices"

	"github.com/gobwas/ws"

	"noom/internal/entrance"
	"noom/signal"
)

// Server is what serves a hub's end of a connection: a *hub.Hub.
type Server interface {
	Serve(ctx context.Context, s signal.Signaler) error
}

// AcceptOptions say which clients a [Handler] accepts. Nil works.
type AcceptOptions struct {
	// Hosts are the names under which members reach this server, as URLs have them: "call.example",
	// "*.call.example" for one label more, an IP address, [OwnAddress]. A name without a port goes
	// with the ports 80 and 443 and with the one that the server listens on; give another,
	// "call.example:8443", if a proxy in front listens there. Requests for others are refused, with
	// status 421. Normal forms are compared, see [signal.NormalHost]. "*" is every name.
	//
	// Nil: the names are not known, and the client is believed. Members bind the proof of their key
	// to the host that they dial, so then another hub can pass on here the proofs that it gets: set
	// Hosts, or hub.Config's Endpoint, wherever the hub authorises. It warns once if neither is
	// set.
	Hosts []string

	// OriginPatterns are the hosts whose pages may connect in addition to the hub's own, as
	// patterns of [path.Match]: "example.com", "*.example.com"; with a scheme,
	// "https://example.com", the scheme must match too. "*" lets in every page of the web. A client
	// that is not a browser sends no Origin and always passes; for authentication there is
	// hub.Config's Authorize.
	OriginPatterns []string

	// ClientAddress says where a request comes from, for a hub behind a proxy that says so in a
	// header of its own: a header that clients could set too would let them choose. The hub counts
	// connections by it. Nil: the other end of the TCP connection.
	ClientAddress func(*http.Request) netip.Addr
}

// Handler serves members over WebSocket, takes joins from the requests that open it, and takes byes that their pages post to the same address as they go away, if
// the server is a [ByeTaker]. It answers 426 to what is no
// WebSocket request, 400 to one without the subprotocol [Subprotocol], 403 to a
// page from elsewhere, and 421 to what is for another host. Headers that were set
// before go with the answer. A connection outlives its request: an [http.Server]'s Shutdown does not end it,
// the hub's does.
func Handler(h Server, o *AcceptOptions) http.Handler {
	if o == nil {
		o = &AcceptOptions{}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if byes, can := h.(ByeTaker); can && r.Method == http.MethodPost {
			takeBye(w, r, byes, o)
			return
		}
		if why, status := refusal(r, o); why != "" {
			if status == http.StatusUpgradeRequired {
				w.Header().Set("Upgrade", "websocket") // RFC 9110 section 15.5.22
				w.Header().Set("Connection", "Upgrade")
			}
			entrance.Refuse(w, r, why, status)
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
	if !entrance.HeaderListHas(r.Header, "Upgrade", "websocket") {
		return "this is a noom hub; it speaks WebSocket", http.StatusUpgradeRequired
	}
	if why, status = foreign(r, o); why != "" {
		return why, status
	}
	switch {
	case !offersProtocol(r, Subprotocol):
		return "this is a noom hub; offer the WebSocket subprotocol " + Subprotocol, http.StatusBadRequest
	case len(r.Header.Values("Sec-Websocket-Key")) > 1: // RFC 6455 section 11.3.1
		return "a request has one Sec-WebSocket-Key", http.StatusBadRequest
	}
	return "", 0
}

// foreign says why a request, whatever it is for, is for another host or from a page that may not
// connect, if so.
func foreign(r *http.Request, o *AcceptOptions) (why string, status int) {
	if why, status = entrance.RefuseHost(r, o.Hosts); why != "" {
		return why, status
	}
	return entrance.RefuseOrigin(r, o.OriginPatterns)
}

// upgrade agrees to the opening handshake (RFC 6455 section 4.2), or answers why
// it does not and returns nil.
func upgrade(w http.ResponseWriter, r *http.Request, o *AcceptOptions) *servedEnd {
	upgrader := ws.HTTPUpgrader{
		Timeout:  writeTimeout,
		Protocol: func(offered string) bool { return offered == Subprotocol },
	}
	if len(w.Header()) > 0 { // to write none of them takes long
		upgrader.Header = w.Header()
	}
	conn, rw, _, err := upgrader.Upgrade(plainRequest(r), w)
	if err != nil {
		if conn != nil {
			_ = conn.Close() // it knows why
		}
		return nil
	}
	// The server's own buffers, 4 KiB each way, are left behind.
	var early []byte
	if n := rw.Reader.Buffered(); n > 0 {
		early = make([]byte, n)
		_, _ = io.ReadFull(rw.Reader, early) // it has them
	}
	l := newServed(conn, early, signal.NormalHost(r.Host), entrance.Address(r, o.ClientAddress))
	l.hearsay = entrance.Hearsay(o.Hosts)
	l.page = r.Header.Get("Origin") != ""
	l.early = earlyFrames(r.Header)
	return l
}

// plainRequest is a request that says what r does as gobwas/ws reads it: it looks at
// the first line of each header, and for nothing but websocket in Upgrade.
func plainRequest(r *http.Request) *http.Request {
	plain := &http.Request{Method: r.Method, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor, Host: r.Host, Header: http.Header{
		"Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {Subprotocol}, // which refusal has seen
	}}
	if entrance.HeaderListHas(r.Header, "Connection", "upgrade") {
		plain.Header.Set("Connection", "Upgrade")
	}
	for _, name := range []string{"Sec-Websocket-Key", "Sec-Websocket-Version"} {
		plain.Header[name] = r.Header.Values(name)
	}
	return plain
}

// offersProtocol reports whether a request offers a WebSocket subprotocol.
func offersProtocol(r *http.Request, protocol string) bool {
	return slices.Contains(entrance.HeaderList(r.Header, "Sec-Websocket-Protocol"), protocol)
}
