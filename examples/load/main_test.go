package main

import (
	"context"
	"errors"
	"io"
	"regexp"
	"testing"

	"noom"
	"noom/examples/bottest"
)

func TestEveryoneHearsEveryone(t *testing.T) {
	stage := bottest.New(t)
	out, stop := stage.Start(run, "-peers", "3", "-every", "200ms", "-name", "손님")
	full := regexp.MustCompile(`3 peers, 6 of 6 connections up, [1-9]\d{2,} packets/s, [0-9.]+ Mbit/s`)
	bottest.Until(t, func() bool { return full.MatchString(out.String()) })
	room := stage.Join("지우")
	bottest.Await(t, room, func(e noom.PeerJoined) bool { return e.Peer.Name() == "손님 3" })
	stop()
	for range 3 {
		bottest.Await(t, room, func(e noom.PeerLeft) bool { return e.Reason == noom.ReasonLeft })
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{{"-peers", "0"}, {"-peers", "-3"}, {"-every", "0"}, {"-every", "-1s"}, {"방"}} {
		if err := run(t.Context(), bottest.Flags(), args, io.Discard); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%q: %v", args, err)
		}
	}
}
