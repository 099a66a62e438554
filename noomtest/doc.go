// Package noomtest tests programs that use noom: real rooms, real pion, on a virtual network and in
// virtual time. An hour passes in milliseconds, a network breaks when a test says so, and a test
// that fails keeps all that was said.
//
//	func TestGreets(t *testing.T) {
//		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
//			go RunBot(t.Context(), w.Dialer("bot"), w.Config("bot"))
//			alice := w.Join("lobby", &noom.Config{Name: "alice"})
//			w.Settle()
//			noomtest.Await(w, alice, func(e noom.ChatReceived) bool {
//				return e.Text == "hello, alice"
//			})
//		})
//	}
//
// README.md in this folder is a guide.
//
// # The world
//
// A [World] has hubs, and hosts that members run on. [World.Join] joins a room from a host of its
// own; code that calls [noom.Join] itself gets a host by [World.Dialer] and [World.Config].
// [World.Settle] waits until nothing moves, [Await] for an event. Options of [Run] say how good the
// network is, what NATs there are, whether there is a TURN server, how many hubs.
//
// # Faults
//
// On signaling: [World.Drop], [World.Delay], [World.Repeat], [World.Hold] take
// [Frames], such as "bob's first answer"; [World.CutSignaling] takes a
// member's way to the hub, [Hub.Kill] the hub. On the network: [World.Cut], [World.OneWay],
// [World.Loss], [World.Latency], [World.Filter],
// [World.NewAddress], [World.Heal]. On both: [World.Sleep].
//
// # Links
//
// [World.SetUpload] and [World.SetDownload] say how good a host's [Link] is: bandwidth, queue,
// latency, losses one by one or in bursts. A [Meter] counts what goes over one. [World.UploadTCP] and
// [World.DownloadTCP] fill its queue with a [Flow] of somebody else. [World.Video] is a source that
// follows a target bitrate, [World.View] watches it as a player does, and [World.Speech] is sound of a
// bitrate, for a [Sink].
//
// # Randomness
//
// [Explore] runs a test with many seeds and says how to run the one that
// failed again.
//
// # Replays
//
// [Replay] turns what [noom.Config].Trace has recorded in production into a [Story] that plays again in a World.
//
// # In the bubble
//
// The test runs in a bubble of [testing/synctest], whose rules hold: whatever is begun
// must end, and nothing may wait for the world outside, for a mutex held across a
// wait, a file or a real socket. A test that breaks them fails with the
// stacks of the goroutines concerned; it does not hang.
package noomtest
