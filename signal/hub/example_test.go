package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

func ExampleHub() {
	h := hub.New(&hub.Config{
		ICEServers: hub.FixedICEServers(signal.ICEServer{URLs: []string{"stun:stun.example.com"}}),
		Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
			if r.Token != "open sesame" {
				return hub.Grant{}, errors.New("say the magic word")
			}
			return hub.Grant{}, nil
		},
	})
	mux := http.NewServeMux()
	mux.Handle("/ws", ws.Handler(h, nil))
	mux.Handle("/rooms", h.RoomsHandler())
	server := httptest.NewServer(mux)
	defer server.Close()

	fmt.Println("rooms:", len(h.Rooms()))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println("shutdown:", h.Shutdown(ctx))
	// Output:
	// rooms: 0
	// shutdown: <nil>
}
