// Package noom joins rooms. A Go program joins a room by name and gets a live,
// encrypted, peer-to-peer WebRTC connection to everyone in it; noom does the
// offer/answer/ICE dance, keeps it alive, and swaps cameras without
// renegotiating.
//
//	room, err := noom.Join(ctx, ws.Dialer{URL: "ws://localhost:8080/ws"}, "lobby", nil)
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer room.Leave(context.Background())
//	for event := range room.Events(ctx) {
//		switch e := event.(type) {
//		case noom.PeerJoined:
//			room.TryChat("hello " + e.Peer.Name())
//		case noom.TrackAdded:
//			go record(e.Track) // e.Track.ReadRTP()
//		}
//	}
//
// # Rooms, peers, senders
//
// A [Room] is everyone under one name at one hub. Each other member is a [Peer],
// with a connection of its own, which stays the same object while that
// connection is restarted or rebuilt beneath it. A published track is a [Sender]: its
// source is bound once, however many peers get it. What a peer publishes is a
// [RemoteTrack].
//
// The hub (package noom/signal/hub) introduces members and relays their
// signaling; media and data never pass through it. A member's id follows from
// its public key ([Identity]), and everything that sets up a connection is
// signed with it, so a hub cannot speak for anybody.
//
// # Events
//
// What happens is pulled with [Room.Next] or [Room.Events], never pushed
// through callbacks: your code cannot deadlock noom or hold up a negotiation,
// however slow it is. Events wait in a queue from the moment of Join. State is
// never lost from it; data is bounded by what senders may have under way; old
// chat is dropped beyond [Config].EventBuffer, and [Lagged] says how much.
//
// Rooms, members, peers, tracks, senders and channels print as their names, what others
// wrote is quoted, and data is a number of bytes, so an event can go to a log as it
// is, to package log or log/slog.
//
// # Data
//
// [Peer].Send is reliable and ordered, over rebuilds of the connection too, and waits while
// a peer's application takes nothing. A program that serves several from one loop uses
// [Peer].TrySend and [Room].TryChat, which never wait. [Room].Leave lets what was accepted
// arrive, and says what did not.
//
// # Concurrency
//
// Every method of every type here may be called from any goroutine at any
// time, after the end too. Calls that wait take a context and return its error
// when it ends first; the others do not wait for the network. After
// [Room.Leave] has returned, no goroutine of the room is left.
//
// # Versions
//
// The interfaces may gain methods in minor versions; whoever fakes one embeds
// it.
package noom
