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

// Accounts decide who may enter and who may moderate. A refused member gets the
// error that Authorize returns.
func ExampleConfig_authorize() {
	type account struct {
		name   string
		rights signal.Rights
	}
	accounts := map[string]account{
		"secret of 지우":  {"지우", signal.Rights{signal.RightPublish, signal.RightChat, signal.RightKick}},
		"secret of bob": {"bob", nil}, // nil: publish and chat
	}
	h := hub.New(&hub.Config{Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
		a, ok := accounts[r.Token]
		if !ok {
			return hub.Grant{}, errors.New("sign in first")
		}
		return hub.Grant{Identity: a.name, Name: a.name, Rights: a.rights, Expires: time.Now().Add(time.Hour)}, nil
	}})

	ctx := context.Background()
	for _, token := range []string{"secret of 지우", "secret of bob", "a guess"} {
		room, err := noom.Join(ctx, mem.Dialer(h), "lobby", &noom.Config{Name: "anything", Token: token})
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(room.Self().Name, "may kick:", room.May(noom.RightKick))
		room.Leave(ctx)
	}
	// Output:
	// 지우 may kick: true
	// bob may kick: false
	// noom: join "lobby": sign in first (refused)
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

// The program around a hub follows who comes and goes. Errors are left out.
func ExampleHub_Events() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	h := hub.New(nil)
	events := h.Events(ctx)

	alice, _ := noom.Join(ctx, mem.Dialer(h), "lobby", &noom.Config{Name: "alice"})
	_ = alice.Leave(ctx)

	for event := range events {
		switch e := event.(type) {
		case hub.RoomOpened:
			fmt.Println(e.By.Name, "opens", e.Room)
		case hub.MemberLeft:
			fmt.Println(e.Member.Name, "is gone:", e.Reason)
		case hub.RoomClosed:
			fmt.Println(e.Room, "is closed")
			return
		}
	}
	// Output:
	// alice opens lobby
	// alice is gone: left
	// lobby is closed
}
