package noom_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"noom"
	"noom/media"
	"noom/signal/hub"
	"noom/transport/mem"
	"noom/transport/ws"
)

// Two members in one process, without a network between them and their hub.
func Example() {
	ctx := context.Background()
	h := hub.New(nil)

	alice, err := noom.Join(ctx, mem.Dialer(h), "lobby", &noom.Config{Name: "alice"})
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Leave(ctx)
	bob, err := noom.Join(ctx, mem.Dialer(h), "lobby", &noom.Config{Name: "bob"})
	if err != nil {
		log.Fatal(err)
	}
	defer bob.Leave(ctx)

	if err := alice.Chat(ctx, "hello"); err != nil {
		log.Fatal(err)
	}
	for event := range bob.Events(ctx) {
		if e, ok := event.(noom.ChatReceived); ok {
			fmt.Printf("%s says %s\n", e.From.Name, e.Text)
			break
		}
	}
	// Output: alice says hello
}

// A bot that greets newcomers and sends data back to its sender. It only dials
// out, so it works behind a NAT as it is.
func ExampleJoin() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	room, err := noom.Join(ctx, ws.Dialer{URL: "ws://localhost:8080/ws"}, "lobby", &noom.Config{Name: "echo"})
	if err != nil {
		log.Fatal(err)
	}
	defer room.Leave(context.Background())

	for event := range room.Events(ctx) {
		switch e := event.(type) {
		case noom.PeerJoined:
			if err := room.TryChat("hello, " + e.Peer.Name()); err != nil {
				log.Print(err)
			}
		case noom.DataReceived:
			if err := e.Peer.TrySend(e.Data); err != nil { // a peer that reads nothing does not hold up the others
				log.Print(err)
			}
		case noom.PeerLeft:
			log.Printf("%s is gone: %s", e.Member.Name, e.Reason)
		case noom.Closed:
			log.Print(e.Err)
		}
	}
}

// A bot in two rooms that sends what it gets in the first to everyone in the second.
func ExampleForward() {
	ctx, dialer := context.Background(), mem.Dialer(hub.New(nil))
	stage, err := noom.Join(ctx, dialer, "stage", &noom.Config{Name: "relay"})
	if err != nil {
		log.Fatal(err)
	}
	defer stage.Leave(ctx)
	hall, err := noom.Join(ctx, dialer, "hall", &noom.Config{Name: "relay"})
	if err != nil {
		log.Fatal(err)
	}
	defer hall.Leave(ctx)

	for event := range stage.Events(ctx) {
		if e, ok := event.(noom.TrackAdded); ok {
			if _, err := hall.Publish(ctx, noom.Forward(e.Track), nil); err != nil {
				log.Print(err)
			}
		}
	}
}

// A camera for everyone, including members who join later. Errors are left out.
func ExampleRoom_Publish() {
	ctx, dialer := context.Background(), mem.Dialer(hub.New(nil))
	alice, _ := noom.Join(ctx, dialer, "lobby", &noom.Config{Name: "alice"})
	defer alice.Leave(ctx)
	bob, _ := noom.Join(ctx, dialer, "lobby", &noom.Config{Name: "bob"})
	defer bob.Leave(ctx)

	camera := media.TestPattern(nil) // or any webrtc.TrackLocal
	defer func() { _ = camera.Close() }()
	_, _ = alice.Publish(ctx, camera, &noom.PublishOptions{Name: "camera"})

	for event := range bob.Events(ctx) {
		if e, ok := event.(noom.TrackAdded); ok {
			packet, err := e.Track.ReadRTP()
			fmt.Println(e.Peer.Name(), "sends", e.Track.Name(), e.Track.Kind(), len(packet.Payload) > 0, err)
			break
		}
	}
	// Output: alice sends camera video true <nil>
}

// Swapping cameras needs no negotiation, and no picture freezes. Errors are left out.
func ExampleSender_ReplaceTrack() {
	ctx, dialer := context.Background(), mem.Dialer(hub.New(nil))
	room, _ := noom.Join(ctx, dialer, "lobby", nil)
	defer room.Leave(ctx)

	front, back, tone := media.TestPattern(nil), media.TestPattern(nil), media.Tone()
	defer func() { _, _, _ = front.Close(), back.Close(), tone.Close() }()
	sender, _ := room.Publish(ctx, front, nil)

	fmt.Println("the other camera:", sender.ReplaceTrack(back))
	fmt.Println("a pause:", sender.ReplaceTrack(nil))
	fmt.Println("sound instead of video is refused:", errors.Is(sender.ReplaceTrack(tone), noom.ErrCodec))
	// Output:
	// the other camera: <nil>
	// a pause: <nil>
	// sound instead of video is refused: true
}

// Positions in a game: only the newest matters, so a lost one is not sent
// again. Errors are left out.
func ExamplePeer_OpenChannel() {
	ctx, dialer := context.Background(), mem.Dialer(hub.New(nil))
	alice, _ := noom.Join(ctx, dialer, "game", &noom.Config{Name: "alice"})
	defer alice.Leave(ctx)
	bob, _ := noom.Join(ctx, dialer, "game", &noom.Config{Name: "bob"})
	defer bob.Leave(ctx)

	for event := range alice.Events(ctx) {
		if e, ok := event.(noom.PeerStateChanged); ok && e.State == noom.PeerConnected {
			options := &noom.ChannelOptions{Unordered: true, MaxRetransmits: new(uint16(0))}
			positions, _ := e.Peer.OpenChannel(ctx, "positions", options)
			_ = positions.Send(ctx, []byte("3,4"))
			break
		}
	}
	for event := range bob.Events(ctx) {
		if e, ok := event.(noom.ChannelOpened); ok {
			data, _ := e.Channel.Receive(ctx)
			fmt.Printf("%s: %s of %s: %s\n", bob.Self().Name, e.Channel.Label(), e.Peer.Name(), data)
			break
		}
	}
	// Output: bob: positions of alice: 3,4
}

// A bot that adds up, and a member that asks it. Any number of members may ask at once; what cannot be answered is an
// error with a code. Errors of joining are left out.
func ExamplePeer_Ask() {
	ctx, dialer := context.Background(), mem.Dialer(hub.New(nil))
	adder, _ := noom.Join(ctx, dialer, "lobby", &noom.Config{Name: "adder"})
	defer adder.Leave(ctx)
	err := noom.HandleJSON(adder, "sum", func(_ context.Context, from noom.Peer, numbers []int) (int, error) {
		if len(numbers) == 0 {
			return 0, &noom.AskError{Code: "no_numbers", Message: "nothing to add up, " + from.Name()}
		}
		sum := 0
		for _, n := range numbers {
			sum += n
		}
		return sum, nil
	})
	if err != nil {
		log.Fatal(err)
	}

	alice, _ := noom.Join(ctx, dialer, "lobby", &noom.Config{Name: "alice"})
	defer alice.Leave(ctx)
	for event := range alice.Events(ctx) {
		e, ok := event.(noom.PeerJoined)
		if !ok {
			continue
		}
		sum, err := noom.AskJSON[int](ctx, e.Peer, "sum", []int{3, 4}) // waits until they are connected
		fmt.Println(sum, err)
		_, err = noom.AskJSON[int](ctx, e.Peer, "sum", []int{})
		fmt.Println(err)
		_, err = e.Peer.Ask(ctx, "product", nil)
		fmt.Println("nobody multiplies:", errors.Is(err, noom.ErrNotHandled))
		break
	}
	// Output:
	// 7 <nil>
	// noom: ask: nothing to add up, alice (no_numbers)
	// nobody multiplies: true
}

// Why a peer is connected, or is not. Errors of joining are left out.
func ExamplePeer_Diagnose() {
	ctx, dialer := context.Background(), mem.Dialer(hub.New(nil))
	alice, _ := noom.Join(ctx, dialer, "lobby", &noom.Config{Name: "alice"})
	defer alice.Leave(ctx)
	bob, _ := noom.Join(ctx, dialer, "lobby", &noom.Config{Name: "bob"})
	defer bob.Leave(ctx)

	for event := range alice.Events(ctx) {
		e, ok := event.(noom.PeerStateChanged)
		if !ok || e.State != noom.PeerConnected && e.State != noom.PeerFailed {
			continue
		}
		diagnosis, err := e.Peer.Diagnose(ctx)
		if err != nil {
			log.Fatal(err)
		}
		switch diagnosis.Verdict {
		case noom.VerdictConnected:
			fmt.Println(e.Peer.Name(), "is connected; relayed:", diagnosis.Path != nil && diagnosis.Path.Relayed())
		case noom.VerdictRelayNeeded, noom.VerdictTURNRefused, noom.VerdictTURNUnreachable:
			fmt.Println("look at the TURN server:", diagnosis.Err)
		default:
			fmt.Println(diagnosis) // a sentence that says what was seen and what to do
		}
		break
	}
	// Output: bob is connected; relayed: false
}
