package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/signal"
	"noom/transport/auto"
)

// join enters the room. Its errors name the flag to look at.
func join(ctx context.Context, o *options, identity noom.Identity, tracks []noom.LocalTrack) (noom.Room, error) {
	config := &noom.Config{
		Name: o.name, Identity: identity, Token: o.token, Tracks: tracks, ICEServers: o.iceServers,
	}
	if alone() {
		config.Settings = func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) }
	}
	room, err := noom.Join(ctx, &auto.Dialer{URL: o.url}, o.room, config)
	if err == nil {
		return room, nil
	}
	if e, ok := errors.AsType[*noom.JoinError](err); ok {
		err = e.Err // the rest repeats the room
	}
	if errors.Is(err, noom.ErrCodec) {
		return nil, fmt.Errorf("-video or -audio: %w", err)
	}
	if e, ok := errors.AsType[*signal.Error](err); ok {
		return nil, fmt.Errorf("%s: the hub says: %w", flagFor(e.Code), err)
	}
	return nil, fmt.Errorf("-url: %w", err)
}

// flagFor returns the flag that a hub's refusal is about.
func flagFor(code signal.Code) string {
	flags := map[signal.Code]string{
		signal.CodeBadRoom: "-room", signal.CodeRoomFull: "-room", signal.CodeBadName: "-name", signal.CodeRefused: "-token",
	}
	return cmp.Or(flags[code], "-url")
}

// alone reports whether this machine has no network but itself; then others
// on it are only found on the loopback interface, which ICE leaves out.
func alone() bool {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return false
		}
	}
	return true
}
