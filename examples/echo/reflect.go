package main

import (
	"context"
	"log"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"noom"
)

// reflect sends a track back to its sender, until it ends.
func reflect(ctx context.Context, peer noom.Peer, track noom.RemoteTrack) {
	var mirror *mirrored
	var sender noom.Sender
	for packet := range track.Packets() {
		if mirror == nil || mirror.payloadType != packet.PayloadType { // only packets show the codec
			codec := track.Codec()
			if uint8(codec.PayloadType) != packet.PayloadType {
				continue // it was in another codec than the latest
			}
			static, err := webrtc.NewTrackLocalStaticRTP(codec.RTPCodecCapability, track.Kind().String(), "echo-"+track.ID())
			if err != nil {
				log.Println(err)
				return
			}
			mirror = &mirrored{static, track, packet.PayloadType}
			if sender != nil {
				err = sender.ReplaceTrack(mirror)
			} else if sender, err = peer.Publish(ctx, mirror, &noom.PublishOptions{Name: track.Name()}); err == nil {
				defer func() { _ = sender.Close() }() // the peer may be gone already
			}
			if err != nil {
				log.Println(err)
				return
			}
		}
		if mirror.WriteRTP(packet) != nil {
			return
		}
	}
}

// mirrored is a track that asks its origin for key frames.
type mirrored struct {
	*webrtc.TrackLocalStaticRTP
	from        noom.RemoteTrack
	payloadType uint8
}

// AudioLevel is that of what is sent back.
func (m *mirrored) AudioLevel() (dBov int, ok bool) { return m.from.AudioLevel() }

// Bind also reads what is asked of the track, to the end of the binding.
func (m *mirrored) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, err := m.TrackLocalStaticRTP.Bind(ctx)
	if err != nil {
		return codec, err
	}
	go func() {
		b := make([]byte, 1500)
		for {
			n, _, err := ctx.RTCPReader().Read(b, nil)
			if err != nil {
				return
			}
			if packets, err := rtcp.Unmarshal(b[:n]); err == nil && len(packets) > 0 {
				_ = m.from.RequestKeyframe() // asked again, if it cannot be now
			}
		}
	}()
	return codec, nil
}
