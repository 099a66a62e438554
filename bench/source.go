package main

import (
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// What a source sends: 110 packets a second.
const (
	soundEvery     = time.Second / 50
	soundSize      = 80
	pictureEvery   = time.Second / 30
	pictureSize    = 2000 // two packets, pion's being of 1200 bytes at most
	picturePackets = 2
	keyEvery       = 30 // pictures
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

var (
	soundData  = make([]byte, soundSize)
	keyPicture = picture([]byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 640 & 0xff, 640 >> 8, 480 & 0xff, 480 >> 8}) // RFC 6386 section 9.1
	nextData   = picture([]byte{0x11, 0, 0})
)

// picture is a frame of VP8, as far as anyone here looks into it.
func picture(header []byte) []byte { return append(header, make([]byte, pictureSize-len(header))...) }

func (s source) sound() error {
	return s.audio.WriteSample(media.Sample{Data: soundData, Duration: soundEvery})
}

// picture sends the n-th one.
func (s source) picture(n int) error {
	data := nextData
	if n%keyEvery == 0 {
		data = keyPicture
	}
	return s.video.WriteSample(media.Sample{Data: data, Duration: pictureEvery})
}

// send sends for a while, and returns how many packets that were. What comes too late is left out, as a camera would.
func (s source) send(length time.Duration) (packets int, err error) {
	sounds, pictures := time.NewTicker(soundEvery), time.NewTicker(pictureEvery)
	defer sounds.Stop()
	defer pictures.Stop()
	over := time.After(length)
	for n := 0; err == nil; {
		select {
		case <-sounds.C:
			err = s.sound()
			packets++
		case <-pictures.C:
			err = s.picture(n)
			packets += picturePackets
			n++
		case <-over:
			return packets, nil
		}
	}
	return packets, err
}
