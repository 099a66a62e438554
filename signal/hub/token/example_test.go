package token_test

import (
	"context"
	"fmt"
	"time"

	"noom"
	"noom/signal"
	"noom/signal/hub"
	"noom/signal/hub/token"
	"noom/transport/mem"
)

// A hub that admits members with a token for the room, and the room's host, who may lock it. Errors
// are left out.
func ExampleVerifier() {
	private, public := token.NewKey()
	issuer, _ := token.ParseKey(private) // where your accounts are
	checker, _ := token.ParseKey(public) // where the hub is

	verifier, _ := token.NewVerifier(checker)
	h := hub.New(&hub.Config{Authorize: verifier.Authorize})

	text, _ := token.Sign(issuer, token.Claims{
		Room: "lobby", Subject: "account 7", Name: "gopher",
		Rights:  signal.Rights{signal.RightPublish, signal.RightChat, signal.RightLock},
		Expires: time.Now().Add(8 * time.Hour), ID: token.NewID(),
	})
	ctx := context.Background()
	room, err := noom.Join(ctx, mem.Dialer(h), "lobby", &noom.Config{Token: text})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer room.Leave(ctx)
	fmt.Println(room.Self().Name, "locks the room:", room.Lock(ctx))

	_, err = noom.Join(ctx, mem.Dialer(h), "lobby", nil)
	fmt.Println(err)
	// Output:
	// gopher locks the room: <nil>
	// noom: join "lobby": this hub requires a token (refused)
}
