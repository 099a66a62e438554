package noom

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"noom/internal/speaker"
)

// voice is a microphone that is as loud as it is told to be.
type voice struct {
	*webrtc.TrackLocalStaticSample
	dBov atomic.Int32
}

const unknownLevel = 1

func newVoice(t *testing.T) *voice {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(opus, "microphone", "마이크")
	must(t, err)
	v := &voice{TrackLocalStaticSample: track}
	v.dBov.Store(speaker.Silence)
	return v
}

func (v *voice) AudioLevel() (dBov int, ok bool) {
	level := v.dBov.Load()
	return int(level), level != unknownLevel
}

func (v *voice) speak(ctx context.Context) {
	for ctx.Err() == nil {
		_ = v.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond})
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// speakers takes the events up to now and returns who was said to speak, "-"
// for nobody, and "left" where somebody left.
func speakers(t *testing.T, r Room) (names []string) {
	t.Helper()
	synctest.Wait()
	for {
		e, _, err := r.(*room).events.pop()
		if err != nil {
			t.Fatal(err)
		}
		switch e := e.(type) {
		case nil:
			return names
		case ActiveSpeaker:
			if e.Peer == nil {
				names = append(names, "-")
			} else {
				names = append(names, e.Peer.Name())
			}
		case PeerLeft:
			names = append(names, "left")
		}
	}
}

func TestActiveSpeaker(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		voices := map[string]*voice{}
		rooms := map[string]Room{}
		for _, name := range []string{"듣는이", "지우", "bob", "말없이"} {
			v := newVoice(t)
			go v.speak(ctx)
			voices[name] = v
			rooms[name] = w.join("말하기", name, &Config{Tracks: []LocalTrack{{Track: v}}})
		}
		listener := rooms["듣는이"]
		expect := func(what string, want ...string) {
			t.Helper()
			time.Sleep(3 * time.Second)
			if got := speakers(t, listener); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		voices["말없이"].dBov.Store(unknownLevel)
		expect("silence")
		if listener.(*room).speech.awake.Load() {
			t.Error("somebody listens to silence")
		}
		voices["듣는이"].dBov.Store(-10)
		voices["지우"].dBov.Store(-30)
		expect("one speaks, and so do we", "지우")
		voices["bob"].dBov.Store(-29)
		expect("another, no louder")
		voices["지우"].dBov.Store(-70)
		expect("the first falls silent", "bob")
		must(t, rooms["bob"].Senders()[0].SetMuted(true))
		expect("the second is muted", "-")
		must(t, rooms["bob"].Senders()[0].SetMuted(false))
		expect("and unmuted", "bob")
		must(t, rooms["bob"].Leave(t.Context()))
		expect("and leaves", "-", "left")
		if listener.(*room).speech.awake.Load() {
			t.Error("somebody listens still")
		}
		jiwoo := listener.Peers()[0]
		if dBov, ok := jiwoo.Tracks()[0].AudioLevel(); jiwoo.Name() != "지우" || dBov != -70 || !ok {
			t.Errorf("%s: level %d, %v; want -70", jiwoo.Name(), dBov, ok)
		}
		if dBov, ok := listener.Peers()[1].Tracks()[0].AudioLevel(); ok {
			t.Errorf("level %d of a source that tells none", dBov)
		}
	})
}

// What a source tells goes out under the number that was negotiated for that
// leg; what it tells not, or brings along itself, does not.
func TestLegSendsAudioLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVoice(t)
		_, wire := boundLeg(t, publish(t, v))
		want := map[int32]string{
			0: "80", -1: "81", -127: "ff", -20: "94", -200: "ff", 40: "80", unknownLevel: "",
		}
		for level, extension := range want {
			v.dBov.Store(level)
			must(t, v.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond}))
			headers := wire.headers()
			h := headers[len(headers)-1]
			if got := fmt.Sprintf("%x", h.GetExtension(9)); got != extension || len(h.GetExtensionIDs()) > 1 {
				t.Errorf("level %d: extension %q of %v, want %q", level, got, h.GetExtensionIDs(), extension)
			}
		}
	})
}
