// Package hub is the server side of noom's rooms: it knows who is in which
// room, carries frames between members, and reads none of what they agree on.
//
//	h := hub.New(nil)
//	http.Handle("/ws", ws.Handler(h, nil))         // noom/transport/ws
//	http.Handle("/http", noomhttp.Handler(h, nil)) // noom/transport/http, where no WebSocket gets through
//	http.Handle("/rooms", h.RoomsHandler())
//	log.Fatal(http.ListenAndServe(":8080", nil))
//
// Like that it is open to everyone who reaches it. [Config.Authorize] decides about members and
// their rights; [RoomPasswords] and the package noom/signal/hub/token are ready-made.
// [Config.Limits] and the fields behind it bound what strangers can use, each with a default;
// HTTPServer and LimitListener of noom/transport/ws bound their connections. A hub that authorises
// must know its own names: Hosts in ws.AcceptOptions, or [Config.Endpoint].
//
// [Config.Cluster] makes one of many hubs: a member enters a room at any of them.
//
// Nothing that one member sends or fails to read disturbs another: each has a bounded queue of its
// own, and a member that lets it overflow is cut. The protocol is in noom/signal/PROTOCOL.md.
package hub
