package main

import (
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// What a source sends is what bench's own does: see source.go there.
const (
	soundEvery   = time.Second / 50
	soundSize    = 80
	pictureEvery = time.Second / 30
	pictureSize  = 2000
	keyEvery     = 30 // pictures
)

// A source is a microphone and a camera that always send the same.
type source struct {
	audio, video *webrtc.TrackLocalStaticSample
}

func newSource() (s source, err error) {
	opus, vp8 := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}
	if s.audio, err = webrtc.NewTrackLocalStaticSample(opus, "audio", "member"); err == nil {
		s.video, err = webrtc.NewTrackLocalStaticSample(vp8, "video", "member")
	}
	return s, err
}

func (s source) tracks() []webrtc.TrackLocal { return []webrtc.TrackLocal{s.audio, s.video} }

// picture is a frame of VP8, as far as anyone here looks into it.
func picture(header ...byte) []byte { return append(header, make([]byte, pictureSize-len(header))...) }

// send sends until the process ends.
func (s source) send() {
	sound := make([]byte, soundSize)
	key := picture(0x10, 0, 0, 0x9d, 0x01, 0x2a, 640&0xff, 640>>8, 480&0xff, 480>>8) // RFC 6386 section 9.1
	next := picture(0x11, 0, 0)
	sounds, pictures := time.NewTicker(soundEvery), time.NewTicker(pictureEvery)
	for n := 0; ; {
		select {
		case <-sounds.C:
			_ = s.audio.WriteSample(media.Sample{Data: sound, Duration: soundEvery}) // it fails when the connection does
		case <-pictures.C:
			data := next
			if n%keyEvery == 0 {
				data = key
			}
			n++
			_ = s.video.WriteSample(media.Sample{Data: data, Duration: pictureEvery}) // it fails when the connection does
		}
	}
}
