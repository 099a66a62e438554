package join

import (
	"context"
	"errors"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
)

// echo sends one track of a peer back to that peer only. It is used by one goroutine.
type echo struct {
	peer  noom.Peer
	track noom.RemoteTrack

	payloadType uint8
	back        *mirror
	sender      noom.Sender // nil until the first packet shows the codec
}

// publishing bounds how long publishing may take.
const publishing = 5 * time.Second

// send sends a packet back. A codec that changes needs another mirror.
func (e *echo) send(p *rtp.Packet) error {
	if e.sender == nil || p.PayloadType != e.payloadType {
		if err := e.publish(p.PayloadType); err != nil {
			return err
		}
	}
	return e.back.WriteRTP(p)
}

func (e *echo) publish(payloadType uint8) error {
	codec := e.track.Codec().RTPCodecCapability
	if e.sender != nil && e.back.Codec().MimeType == codec.MimeType {
		e.payloadType = payloadType
		return nil
	}
	static, err := webrtc.NewTrackLocalStaticRTP(codec, e.track.Kind().String(), "echo-"+e.track.ID())
	if err != nil {
		return err
	}
	e.back = &mirror{static, e.track}
	e.payloadType = payloadType
	if e.sender != nil {
		return e.sender.ReplaceTrack(e.back)
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishing)
	defer cancel()
	e.sender, err = e.peer.Publish(ctx, e.back, &noom.PublishOptions{Name: e.track.Name()})
	return err
}

func (e *echo) close() {
	if e.sender != nil {
		_ = e.sender.Close() // the peer may be gone already
		e.sender = nil
	}
}

// mirror is a track that passes requests for a key frame on to where its
// packets come from.
type mirror struct {
	*webrtc.TrackLocalStaticRTP
	from noom.RemoteTrack
}

// AudioLevel is that of what is sent back.
func (m *mirror) AudioLevel() (dBov int, ok bool) { return m.from.AudioLevel() }

// Bind also reads the RTCP of that binding until it ends.
func (m *mirror) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, err := m.TrackLocalStaticRTP.Bind(ctx)
	if err == nil && m.Kind() == webrtc.RTPCodecTypeVideo {
		go m.passRequests(ctx.RTCPReader())
	}
	return codec, err
}

func (m *mirror) passRequests(reader interceptor.RTCPReader) {
	buffer := make([]byte, 1500)
	for {
		n, _, err := reader.Read(buffer, interceptor.Attributes{})
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buffer[:n])
		if err != nil {
			continue // its sender may send better ones
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				if err := m.from.RequestKeyframe(); errors.Is(err, noom.ErrClosed) {
					return
				}
			}
		}
	}
}
