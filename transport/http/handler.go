package http

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"noom/internal/entrance"
	"noom/signal"
	"noom/transport/ws"
)

// AcceptOptions say which clients a [Handler] accepts, and how many. Nil works.
type AcceptOptions struct {
	// AcceptOptions are as for the handler of WebSockets beside it: the names of the server, whose
	// pages may connect, and where requests come from.
	ws.AcceptOptions

	// MaxSessions bounds the connections, those included that the hub has refused and that have not
	// taken notice of it. 0: 10,000.
	MaxSessions int
	// MaxPerAddress bounds those from one IPv4 address or IPv6 /64, by the request that has opened
	// them. 0: 256; negative: no bound. Loopback is not counted.
	MaxPerAddress int
	// MaxHeld bounds the bytes of frames that are held for all sessions until a hub or a member has
	// taken them; for one address an eighth of it, loopback not counted. Beyond it a session holds one
	// frame in each direction. 0: 256 MiB. One session never holds more than 384 KiB, and beside that the
	// body of one request, of at most 128 KiB.
	MaxHeld int
}

// Server is what serves a hub's end of a connection: a *hub.Hub.
type Server = ws.Server

// Handler serves members over HTTP, as PROTOCOL.md section 1.1 says, at whatever path it is mounted;
// "/http" beside the "/ws" of [ws.Handler] is where members look for it. It answers 421 to requests
// for another host, 403 to pages from elsewhere, 400 to what opens a session without the protocol
// [ws.Subprotocol], 429 and 503 where there are too many sessions, and 410 where there is none of that
// name. Its requests lift the server's time limits for themselves. A session outlives them all: an
// [http.Server]'s Shutdown does not end it, the hub's does.
func Handler(h Server, o *AcceptOptions) http.Handler {
	if o == nil {
		o = new(AcceptOptions)
	}
	t := &table{
		maxSessions: o.MaxSessions, maxPerAddress: o.MaxPerAddress, maxHeld: int64(o.MaxHeld),
		sessions: make(map[string]*session), shares: make(map[netip.Prefix]*share),
	}
	if t.maxSessions <= 0 {
		t.maxSessions = 10_000
	}
	if t.maxPerAddress == 0 {
		t.maxPerAddress = 256
	}
	if t.maxHeld <= 0 {
		t.maxHeld = 256 << 20
	}
	return &handler{server: h, accept: o.AcceptOptions, table: t}
}

type handler struct {
	server Server
	accept ws.AcceptOptions
	table  *table
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	why, status := entrance.RefuseHost(r, h.accept.Hosts)
	if why == "" {
		why, status = entrance.RefuseOrigin(r, h.accept.OriginPatterns)
	}
	if why != "" {
		entrance.Refuse(w, r, why, status)
		return
	}
	w.Header().Set("Cache-Control", "no-store, no-transform")
	w.Header().Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" { // one that is admitted
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	}
	id := r.Header.Get(sessionHeader)
	switch {
	case r.Method == http.MethodOptions:
		preflight(w)
	case r.Method != http.MethodPost && r.Method != http.MethodGet:
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		entrance.Refuse(w, r, "this is a noom hub; frames go up by POST and come down by GET", http.StatusMethodNotAllowed)
	case id != "":
		h.serveSession(w, r, id)
	case r.Method == http.MethodPost && slices.Contains(entrance.HeaderList(r.Header, protocolHeader), ws.Subprotocol):
		h.open(w, r)
	default:
		entrance.Refuse(w, r, "this is a noom hub; open a session by POST, with the header "+protocolHeader+": "+ws.Subprotocol, http.StatusBadRequest)
	}
}

// preflight answers a browser that asks for a page of another origin (the fetch standard, CORS).
func preflight(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
	w.Header().Set("Access-Control-Allow-Headers", strings.Join([]string{protocolHeader, sessionHeader, cursorHeader, "Content-Type"}, ", "))
	w.Header().Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
}

// open opens a session.
func (h *handler) open(w http.ResponseWriter, r *http.Request) {
	s := &session{
		table: h.table, hearsay: entrance.Hearsay(h.accept.Hosts), address: entrance.Address(r, h.accept.ClientAddress),
		origin: r.Header.Get("Origin"), ended: make(chan struct{}),
	}
	s.init(signal.NormalHost(r.Host))
	switch h.table.add(s) {
	case refusedAll:
		w.Header().Set("Retry-After", "1")
		entrance.Refuse(w, r, "too many sessions; the server can allow more with MaxSessions", http.StatusServiceUnavailable)
		return
	case refusedAddress:
		w.Header().Set("Retry-After", "1")
		entrance.Refuse(w, r, "too many sessions from this address; behind a proxy, set ClientAddress", http.StatusTooManyRequests)
		return
	case refusedNot:
	}
	ctx := context.WithoutCancel(r.Context())
	go func() {
		_ = h.server.Serve(ctx, s) // the hub logs it
		_ = s.Close()              // never fails
	}()
	answer(w, opened{s.id})
}

// serveSession serves a request that belongs to a session: to the host, and for a page to the origin,
// with which that was opened.
func (h *handler) serveSession(w http.ResponseWriter, r *http.Request, id string) {
	s := h.table.find(id)
	origin := r.Header.Get("Origin") // which a browser leaves out of a GET to the page's own server
	switch {
	case s == nil || s.isOver() || s.endpoint != signal.NormalHost(r.Host) || origin != "" && origin != s.origin:
		entrance.Refuse(w, r, "there is no such session", http.StatusGone)
	case r.Method == http.MethodPost:
		s.serveUp(w, r)
	default:
		s.serveDown(w, r)
	}
}

// answer writes JSON.
func answer(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // a client that has gone asks again
}
