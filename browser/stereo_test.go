package browser_test

import (
	"context"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/browsertest"
	"noom/transport/ws"
)

// channels returns how many channels the Opus packets of a track have now (RFC 6716 section 3.1),
// by the first that is as wanted; it waits for that.
func channels(t *testing.T, track noom.RemoteTrack, want int) {
	t.Helper()
	tap := track.Tap()
	defer func() { _ = tap.Close() }() // it only reads
	seen := make(chan struct{})
	go func() {
		defer close(seen)
		for {
			p, err := tap.ReadRTP()
			if err != nil || len(p.Payload) > 3 && 1+int(p.Payload[0]>>2&1) == want {
				return
			}
		}
	}()
	select {
	case <-seen:
	case <-time.After(time.Minute):
		t.Errorf("%s never has %d channels", track.Name(), want)
	}
}

// A tone on the left stays on the left: from tab to tab, from a tab to Go, and from Go to a tab. A
// microphone of one channel costs no second one, until a track of two takes its place.
func TestStereo(t *testing.T) { browsertest.EachPair(t, testStereo) }

func testStereo(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, ""), l.open(b2, "")
	one.Do(`
		const context = new AudioContext();
		window.left = () => {
			const both = new ChannelMergerNode(context, { numberOfInputs: 2 });
			const tone = new OscillatorNode(context, { frequency: 500 });
			tone.connect(both, 0, 0);
			tone.start();
			const out = new MediaStreamAudioDestinationNode(context);
			both.connect(out);
			return out.stream.getAudioTracks()[0];
		};
		navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } }).then((stream) => {
			window.mic = stream.getAudioTracks()[0];
			return enter('하나', { tracks: [{ track: mic, name: 'voice' }, { track: left(), name: 'music' }] });
		})`)
	two.Do(`enter('two')`)
	connected(one, two)
	two.Do(ears)

	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = room.Leave(context.Background()) }() // the test is over
	tracks := map[string]noom.RemoteTrack{}
	for e := range room.Events(t.Context()) {
		if added, ok := e.(noom.TrackAdded); ok {
			tracks[added.Track.Name()] = added.Track
		}
		if len(tracks) == 2 {
			break
		}
	}
	channels(t, tracks["voice"], 1)
	channels(t, tracks["music"], 2)
	echo, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "echo", "go")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := room.Publish(t.Context(), echo, &noom.PublishOptions{Name: "echo"}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for p := range tracks["music"].Packets() {
			_ = echo.WriteRTP(p.Clone()) // until the room is left
		}
	}()

	two.Do(`
		window.anywhere = (name) => room.peers.flatMap((p) => p.tracks).find((t) => t.name === name);
		window.onTheLeft = async (name) => {
			const track = anywhere(name)?.track;
			if (!track) return false;
			const [left, right] = await ears(track);
			return left > 0.01 && right < left / 10;
		}, undefined`)
	two.Wait("a tab's music on the left", `onTheLeft('music')`)
	two.Wait("Go's music on the left", `onTheLeft('echo')`)
	one.Do(`room.senders[0].replaceTrack(left())`)
	two.Wait("a tone on the left in the place of a voice", `onTheLeft('voice')`)
	channels(t, tracks["voice"], 2)
	for _, tab := range []*browsertest.Tab{one, two} {
		if n := browsertest.Eval[int](tab, `connections`); n != 2 {
			t.Errorf("%d connections were made, want 2", n)
		}
	}
	one.Do(`room.leave(); mic.stop()`)
	two.Do(`room.leave()`)
}
