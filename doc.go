// Package noom joins rooms. A Go program joins a room by name and gets a live, encrypted, peer-to-peer WebRTC
// connection to everyone in it. noom does the offer/answer/ICE dance, keeps the connections alive, and swaps
// cameras without renegotiating.
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
// A [Room] is everyone who joined under one name at one hub. Each other member is a [Peer] with a connection of
// its own. The Peer stays the same object while its connection is restarted or rebuilt. A published track is a
// [Sender]: its source is bound once, however many peers receive it. A track that a peer publishes is a
// [RemoteTrack].
//
// The hub (package noom/signal/hub) introduces members and relays their signaling; media and data never pass
// through it. A member's id follows from its public key ([Identity]), and everything that sets up a connection is
// signed with that key, so a hub cannot impersonate a member.
//
// # Events
//
// The application pulls events with [Room.Next] or [Room.Events]; noom never pushes them through callbacks. Your
// code cannot deadlock noom or delay a negotiation, however slow it is. Events wait in a queue from the moment of
// Join. If more than [Config].EventBuffer wait, noom first drops those that later ones cancel out or replace, such as a
// peer that came and went, and all requests to mute but the newest 64. If there are still too many, it drops the oldest
// chat, and [Lagged] reports how much. State is never lost, and data is bounded by what its senders may have in flight.
//
// Changes of the room's state are events too; beyond 4096 keys the oldest of them go, and are counted likewise.
//
// Rooms, members, peers, tracks, senders and channels print as their names, text from others is quoted, and data
// prints as a number of bytes, so an event can be logged as it is with package log or log/slog.
//
// # Data
//
// [Peer].Send is reliable and ordered, across rebuilds of the connection too, and blocks while the peer's
// application does not take its data. A program that serves several peers from one loop uses [Peer].TrySend and
// [Room].TryChat, which never wait. [Room].Leave lets what was accepted arrive, and reports what did not.
// [Peer].SendTopic sends a message under a topic, by which the other application tells kinds of messages apart.
//
// [Room].State is a map of small values that the members share without the hub, and that newcomers get; what is one
// member's own, such as a raised hand, is in its [Peer].Attributes.
//
// [Peer].Ask asks a peer something and returns the answer of the function that the peer's application has given to
// [Room].Handle; [AskJSON] and [HandleJSON] do so with values.
//
// [Peer].SendFile offers a file, which goes on over rebuilds, to a peer that gets it as [FileOffered] and accepts it or not.
//
// # Concurrency
//
// Every method of every type in this package may be called from any goroutine at any time, also after the end.
// Methods that wait take a context and return its error if it ends first; readers of tracks wait until the track
// ends or they are closed. The other methods do not wait for the network. After [Room.Leave] has returned, no
// goroutine of the room is left, but for a [QuestionHandler] that has not returned although its context has ended.
//
// # Versions
//
// The interfaces may gain methods in minor versions; a fake should embed the interface that it implements.
package noom
