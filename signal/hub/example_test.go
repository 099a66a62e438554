package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"noom"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
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

// Rooms with a password each, and one that is open.
func ExampleRoomPasswords() {
	protected := hub.RoomPasswords(func(_ context.Context, room string) (string, error) {
		passwords := map[string]string{"교실": "열려라 참깨"}
		password, ok := passwords[room]
		if !ok {
			return "", fmt.Errorf("there is no room %q", room)
		}
		return password, nil
	})
	h := hub.New(&hub.Config{Authorize: func(ctx context.Context, r hub.Request) (hub.Grant, error) {
		if r.Room == "lobby" {
			return hub.Grant{}, nil
		}
		return protected(ctx, r)
	}})
	join := func(room, password string) {
		r, err := noom.Join(context.Background(), mem.Dialer(h), room, &noom.Config{Token: password})
		fmt.Println(err)
		if err == nil {
			r.Leave(context.Background())
		}
	}
	join("lobby", "")
	join("교실", "열려라 참깨")
	join("교실", "guess")
	// Output:
	// <nil>
	// <nil>
	// noom: join "교실": wrong password for this room (refused)
}
