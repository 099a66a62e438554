// Package turn is the TURN server (RFC 8656) that a hub hands out to its members, who relay through
// it where no other way leads to each other. It serves UDP, TCP, and TLS; TLS also on the very port
// of the page and the hub, so that one open port, usually 443, is enough for a whole call.
//
//	relays, err := turn.New(netip.MustParseAddr("203.0.113.7"), nil)
//	…
//	err = relays.Listen(ctx, 3478)                                // UDP and TCP
//	…
//	https, err := relays.Share(listener, config, "call.example") // TLS, on the listener's port
//	…
//	h := hub.New(&hub.Config{ICEServers: relays.ICEServers, ICELifetime: turn.CredentialLifetime})
//	…
//	err = ws.HTTPServer(mux, nil).Serve(https)
//
// Only members of the hub can use it. They get credentials after the TURN REST API
// (draft-uberti-behave-turn-rest-00), good for ten minutes and bound to their id. What they may do
// is bounded by [Limits], over all transports together, and they reach only the Internet and each
// other's relays: no private network, no neighbour in the server's own IPv6 networks, and nothing on
// its own machine.
//
// The package owns the relays, the accounts of their owners, and the connections of those that have
// none yet. Each transport has a pion TURN server of its own; all share these accounts.
package turn
