package endurance

import (
	"encoding/hex"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/samplebuilder"

	"noom"
	"noom/internal/mediatest"
)

// Two pictures of VP8, both grey, 320 by 240 pixels: one that can be shown alone, and one that says that nothing has
// changed. Zeros behind them change nothing either. They were made with ffmpeg -f lavfi -i color=gray:s=320x240 -frames 2
// -c:v libvpx -error-resilient 1 -auto-alt-ref 0.
const (
	keyPicture = "b012009d012a4001f000391100011c240c2c2c442c244010000030b030e6a4e8f118bcbd2ee90c95972485e5e9774864acb9242f2f4bba" +
		"432565c921797a5dd2192b2e490bcbd2ee90c95972485e5e9774864acb9242f2f4bba432565c921797a5dd2192b2e490bcbd2ee90c95972485e5" +
		"e9774864acb9242f2f4bba432565c921797a5dd2192b2e490bcbd2ee90c95972485e5e9774864acb9242f2f4b8c0fe6800"
	nextPicture = "b10500e537ffb87467af104f4fae8f2fde3f801fc06160bfd00a66d4c6318c6318c6317ca273cefae39e77d71cf3bc8000"
)

// film is a camera whose encoder follows its target: it makes pictures, 30 or 15 a second, as large as that needs, and a key
// frame, three times as large, when it is asked. Browsers show what it sends.
type film struct {
	*webrtc.TrackLocalStaticSample
	target atomic.Int64
	asked  atomic.Bool
}

func newFilm() (*film, error) {
	track, err := webrtc.NewTrackLocalStaticSample(mediatest.VP8, "film", "film")
	if err != nil {
		return nil, err
	}
	f := &film{TrackLocalStaticSample: track}
	f.target.Store(300_000)
	return f, nil
}

// SetTargetBitrate implements noom.BitrateController.
func (f *film) SetTargetBitrate(bps int) { f.target.Store(int64(bps)) }

// Bind implements webrtc.TrackLocal.
func (f *film) Bind(to webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	f.asked.Store(true)
	go func() {
		for b := make([]byte, 1500); ; {
			n, _, err := to.RTCPReader().Read(b, nil)
			if err != nil {
				return
			}
			packets, _ := rtcp.Unmarshal(b[:n])
			for _, p := range packets {
				if _, ok := p.(*rtcp.PictureLossIndication); ok {
					f.asked.Store(true)
				}
			}
		}
	}()
	return f.TrackLocalStaticSample.Bind(to)
}

// play plays it until the process ends. On a busy machine pictures come less often, and are larger.
func (f *film) play(rate int) {
	key, _ := hex.DecodeString(keyPicture)
	next, _ := hex.DecodeString(nextPicture)
	const most = 200 * time.Millisecond // that a picture makes up for
	last, debt := time.Now(), 0.0
	for now := range time.Tick(time.Second / time.Duration(rate)) {
		took := now.Sub(last)
		last = now
		head, size := next, min(took, most).Seconds()*float64(f.target.Load())/8
		if saved := min(debt, 0.3*size); saved > 0 { // what a key frame took
			debt -= saved
			size -= saved
		}
		if f.asked.Swap(false) {
			debt += 2 * size
			head, size = key, 3*size
		}
		picture := append(slices.Clip(head), make([]byte, max(0, int(size)-len(head)))...)
		_ = f.WriteSample(media.Sample{Data: picture, Duration: took}) // there may be nobody who looks
	}
}

// watch counts the pictures of a film that can be shown: all of each has arrived, and so has the one before. As players
// do, it asks for a key frame where one is missing.
func watch(t noom.RemoteTrack, shown func()) {
	var (
		builder *samplebuilder.SampleBuilder
		ssrc    uint32
		whole   bool
		asked   time.Time
	)
	for p := range t.Packets() {
		if builder == nil || p.SSRC != ssrc { // a browser's new connection numbers its packets anew
			ssrc, whole = p.SSRC, false
			builder = samplebuilder.New(1024, &codecs.VP8Packet{}, mediatest.VP8.ClockRate,
				samplebuilder.WithMaxTimeDelay(500*time.Millisecond))
		}
		if !strings.EqualFold(t.Codec().MimeType, mediatest.VP8.MimeType) {
			if p.Marker {
				shown()
			}
			continue
		}
		builder.Push(p)
		for s := builder.Pop(); s != nil; s = builder.Pop() {
			key := s.Data[0]&1 == 0
			whole = key || whole && s.PrevDroppedPackets == 0
			switch now := time.Now(); {
			case whole:
				shown()
			case now.Sub(asked) > 500*time.Millisecond:
				asked = now
				_ = t.RequestKeyframe() // there may be no connection now
			}
		}
	}
}
