package voice_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/media/voice"
	"noom/signal/hub"
	"noom/transport/mem"
)

// A member hums, another one hears it as one turn. Errors of joining are left out.
func Example() {
	ctx, dialer := context.Background(), mem.Dialer(hub.New(nil))
	config := func(name string) *noom.Config {
		return &noom.Config{Name: name, Settings: func(e *webrtc.SettingEngine) { e.SetIncludeLoopbackCandidate(true) }}
	}
	alice, _ := noom.Join(ctx, dialer, "로비", config("alice"))
	defer alice.Leave(ctx)
	listener, _ := noom.Join(ctx, dialer, "로비", config("listener"))
	defer listener.Leave(ctx)

	ears, err := voice.Listen(ctx, listener, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = ears.Close() }()

	mouth, err := voice.NewSpeaker(ctx, alice, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mouth.Close() }()
	hum := make([]int16, mouth.Rate()/2)
	for i := range hum {
		hum[i] = int16(8000 * math.Sin(2*math.Pi*220*float64(i)/float64(mouth.Rate())))
	}
	if _, err = mouth.Write(hum); err != nil { // it waits until somebody gets it
		log.Fatal(err)
	}

	turn, err := ears.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	pcm, err := turn.Whole(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, why := turn.Ended()
	fmt.Println(turn.Peer.Name(), "spoke until", why)
	fmt.Println("half a second at least:", len(pcm) >= turn.Rate/2)
	// Output:
	// alice spoke until silence
	// half a second at least: true
}
