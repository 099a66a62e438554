// Command livekit is a member of a LiveKit room, for bench's measurement of joins. It is a module of its own, so that
// what LiveKit's SDK needs is not in bench's go.mod.
//
//	livekit resident ADDRESS SECRET          # prints a line when it is in the room with both of its tracks
//	livekit [-single] joiner ADDRESS SECRET  # prints how long it took until the first packet, as JSON
//
// Both stay until their standard input is closed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/livekit/protocol/logger"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
)

// timeout is how long anything may take.
const timeout = 20 * time.Second

func main() {
	single := flag.Bool("single", false, "one connection, whose tracks are in the request that joins")
	flag.Parse()
	lksdk.SetLogger(logger.GetDiscardLogger())
	var err error
	switch address, secret := flag.Arg(1), flag.Arg(2); flag.Arg(0) {
	case "resident":
		err = reside(address, secret)
	case "joiner":
		err = join(address, secret, *single)
	default:
		err = errors.New("it needs resident or joiner, the server's address, and the secret of its key")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "livekit:", err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the driver closes it
}

// reside waits for the server, and enters the room.
func reside(address, secret string) error {
	if err := await("http://" + address); err != nil {
		return err
	}
	s, err := newSource()
	if err != nil {
		return err
	}
	room, err := connect(address, secret, "resident", nil)
	if err != nil {
		return err
	}
	if err := publish(room, s); err != nil {
		return err
	}
	go s.send()
	fmt.Println("ready")
	return nil
}

// await returns when the server answers.
func await(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			return answer.Body.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// join enters the room, and prints the time until the resident's first packet. It sends the same as the resident.
func join(address, secret string, single bool) error {
	s, err := newSource()
	if err != nil {
		return err
	}
	go s.send()
	first := make(chan time.Time, 1)
	var options []lksdk.ConnectOption
	if single {
		options = append(options, lksdk.WithSinglePeerConnection())
		for _, t := range s.tracks() {
			options = append(options, lksdk.WithTrack(t, &lksdk.TrackPublicationOptions{Name: t.ID()}))
		}
	}
	began := time.Now()
	room, err := connect(address, secret, "joiner", first, options...)
	if err != nil {
		return err
	}
	if !single {
		if err := publish(room, s); err != nil {
			return err
		}
	}
	select {
	case at := <-first:
		return json.NewEncoder(os.Stdout).Encode(struct{ First time.Duration }{at.Sub(began)})
	case <-time.After(timeout):
		return fmt.Errorf("no packet came within %v", timeout)
	}
}

// connect enters the room. The time of the first packet that comes goes to first.
func connect(address, secret, name string, first chan<- time.Time, options ...lksdk.ConnectOption) (*lksdk.Room, error) {
	callback := &lksdk.RoomCallback{ParticipantCallback: lksdk.ParticipantCallback{
		OnTrackSubscribed: func(t *webrtc.TrackRemote, _ *lksdk.RemoteTrackPublication, _ *lksdk.RemoteParticipant) {
			for {
				if _, _, err := t.ReadRTP(); err != nil {
					return
				}
				select {
				case first <- time.Now():
				default: // another was first
				}
			}
		},
	}}
	return lksdk.ConnectToRoom("ws://"+address, lksdk.ConnectInfo{
		APIKey: "bench", APISecret: secret, RoomName: "join", ParticipantIdentity: name,
	}, callback, options...)
}

func publish(room *lksdk.Room, s source) error {
	for _, t := range s.tracks() {
		if _, err := room.LocalParticipant.PublishTrack(t, &lksdk.TrackPublicationOptions{Name: t.ID()}); err != nil {
			return err
		}
	}
	return nil
}
