package noom_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"noom"
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

// A bot that greets who comes and answers data with the same data. Behind a
// NAT nothing changes: it only dials out.
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
			if err := e.Peer.TrySend(e.Data); err != nil { // so that one who reads nothing holds nobody up
				log.Print(err)
			}
		case noom.PeerLeft:
			log.Printf("%s is gone: %s", e.Member.Name, e.Reason)
		case noom.Closed:
			log.Print(e.Err)
		}
	}
}
