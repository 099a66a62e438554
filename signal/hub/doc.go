// Package hub is the server side of noom's rooms: it knows who is in which
// room, carries frames between members, and reads none of what they agree on.
//
//	h := hub.New(nil)
//	http.Handle("/ws", ws.Handler(h, nil)) // noom/transport/ws
//	http.Handle("/rooms", h.RoomsHandler())
//	log.Fatal(http.ListenAndServe(":8080", nil))
//
// Like that it is open to everyone who reaches it. [Config.Authorize] says who
// may join and what they may do there; [RoomPasswords] and the package
// noom/signal/hub/token are ready-made. What strangers can take is bounded by
// [Config.Limits] and the fields behind it, each with a default; what their
// connections can, by HTTPServer and LimitListener of noom/transport/ws. A hub that
// authorises must know its own names: Hosts in ws.AcceptOptions, or
// [Config.Endpoint].
//
// Nothing that one member sends or fails to read disturbs another: each has a
// bounded queue of its own, and whoever lets it overflow is cut. The protocol
// is in noom/signal/PROTOCOL.md.
package hub
