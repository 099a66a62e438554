package join

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"golang.org/x/image/vp8"

	"noom"
	"noom/cmd/noom/command"
	"noom/media"
	"noom/transport/ws"
)

func TestTwoPeersSeeAndHearEachOther(t *testing.T) {
	t.Parallel()
	url := serve(t, nil)
	jiwoo := start(t, url, "지우")
	jiwoo.until("joined", func(l line) bool { return l.Event == "joined" && l.Room == "데모" && l.Peer.Name == "지우" })
	bob := start(t, url, "bob", "-video", clips+"vp8.ivf", "-audio", clips+"opus.ogg")
	jiwoo.until("bob", func(l line) bool { return l.Event == "peer-joined" && l.Peer.Name == "bob" && !l.Existing })
	bob.until("지우", func(l line) bool { return l.Event == "peer-joined" && l.Peer.Name == "지우" && l.Existing })
	path := jiwoo.until("how it is connected", func(l line) bool { return l.Event == "connection" })
	if c := path.Connection; c.Local.Type != "host" || c.Remote.Port == 0 || c.Local.Protocol != "udp" {
		t.Errorf("connected by %+v", c)
	}
	bob.receives("지우", 15, "video/VP8", "audio/opus")
	jiwoo.receives("bob", 15, "video/VP8", "audio/opus")
	for i, l := range jiwoo.seen {
		if l.Event == "connection" && i > 0 && slices.ContainsFunc(jiwoo.seen[:i], func(before line) bool {
			return before.Event == "connection" && before.Connection.String() == l.Connection.String()
		}) {
			t.Errorf("the same path twice: %v", l.Connection)
		}
	}
	bob.leave()
	jiwoo.until("bob's goodbye", func(l line) bool { return l.Event == "peer-left" && l.Peer.Name == "bob" && l.Reason == "left" })
}

// The statistics and the events say how good the connection is and what it takes.
func TestQualityIsPrinted(t *testing.T) {
	t.Parallel()
	url := serve(t, nil)
	jiwoo := start(t, url, "지우")
	start(t, url, "bob", "-video", "none", "-audio", "none")
	jiwoo.until("the bandwidth", func(l line) bool {
		if l.Event != "stats" || len(*l.Peers) == 0 {
			return false
		}
		b := (*l.Peers)[0].Bandwidth
		return (*l.Peers)[0].Quality == "good" && b != nil && b.Estimate > 0 && b.Sent > 0
	})
	var text bytes.Buffer
	o := newOutput("noom join", command.Streams{Out: &text, Err: &text}, false)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: url}, "데모", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = room.Leave(context.Background()) })
	for event := range room.Events(t.Context()) {
		if e, ok := event.(noom.TrackAdded); ok && e.Track.Kind() == webrtc.RTPCodecTypeVideo {
			o.event(noom.QualityChanged{Peer: e.Peer, Quality: noom.QualityPoor})
			o.event(noom.TrackPaused{Peer: e.Peer, Track: e.Track, Paused: true})
			o.event(noom.TrackPaused{Peer: e.Peer, Track: e.Track})
			break
		}
	}
	o.statistics([]peerStats{{member: member{Name: "지우"}, Quality: "poor", Bandwidth: &bandwidth{500_000, 300_000, 0.05, 120}, Tracks: []trackStats{{
		Name: "camera", Kind: "video", Codec: "video/VP8", Paused: true,
	}}}})
	for _, want := range []string{
		"지우: the connection is poor\n", "지우 pauses camera", "지우 goes on with camera", "poor: can take 500 kbit/s, gets 300, 5.0 % lost, queue of 120 ms",
		"0 kbit/s  paused\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in:\n%s", want, &text)
		}
	}
}

// Data is printed as a number of bytes, with its topic.
func TestDataIsPrinted(t *testing.T) {
	t.Parallel()
	url := serve(t, nil)
	jiwoo := start(t, url, "지우", "-video", "none", "-audio", "none")
	room, err := noom.Join(t.Context(), ws.Dialer{URL: url}, "데모", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = room.Leave(context.Background()) })
	for event := range room.Events(t.Context()) {
		if e, ok := event.(noom.PeerJoined); ok {
			err = e.Peer.SendTopic(t.Context(), "입력 중", []byte("ㅎㅎ"))
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	jiwoo.until("the data", func(l line) bool { return l.Event == "data" && l.Topic == "입력 중" && *l.Bytes == 6 })
	var text bytes.Buffer
	o := newOutput("noom join", command.Streams{Out: &text, Err: &text}, false)
	for _, topic := range []string{"입력 중", ""} {
		o.event(noom.DataReceived{Peer: room.Peers()[0], Topic: topic, Data: []byte("x")})
	}
	if want := "지우 sends 1 bytes of data under \"입력 중\"\n지우 sends 1 bytes of data\n"; text.String() != want {
		t.Errorf("printed:\n%swant:\n%s", &text, want)
	}
}

// Each gets back what it sends, and nothing of the others.
func TestEcho(t *testing.T) {
	t.Parallel()
	url := serve(t, nil)
	echo := start(t, url, "메아리", "-echo")
	jiwoo := start(t, url, "지우", "-video", clips+"vp9.ivf")
	silent := start(t, url, "silent", "-video", "none", "-audio", "none")
	jiwoo.receives("메아리", 20, "video/VP9", "audio/opus")
	silent.receives("지우", 20, "video/VP9", "audio/opus")
	echo.leave()
	silent.until("the echo's goodbye", func(l line) bool { return l.Event == "peer-left" && l.Peer.Name == "메아리" })
	for _, l := range silent.seen {
		if l.Event == "track-added" && l.Peer.Name == "메아리" {
			t.Errorf("the echo went to another member: %+v", l.Track)
		}
	}
}

// The picture is of the colour that follows from the member's id, and moves.
func TestPictureIsOfTheMembersColor(t *testing.T) {
	url := serve(t, nil)
	start(t, url, "지우", "-audio", "none")
	room, err := noom.Join(t.Context(), ws.Dialer{URL: url}, "데모", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = room.Leave(context.Background()) })
	for event := range room.Events(t.Context()) {
		if e, ok := event.(noom.TrackAdded); ok {
			watch(t, e.Track, e.Peer.ID())
			return
		}
	}
}

// watch decodes twenty pictures.
func watch(t *testing.T, track noom.RemoteTrack, id string) {
	t.Helper()
	want := media.ColorOf(id)
	var data []byte
	last, seen := -1, 0
	for packet := range track.Packets() {
		var part codecs.VP8Packet
		payload, err := part.Unmarshal(packet.Payload)
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, payload...)
		if !packet.Marker {
			continue
		}
		decoder := vp8.NewDecoder()
		decoder.Init(bytes.NewReader(data), len(data))
		if _, err = decoder.DecodeFrameHeader(); err != nil {
			t.Fatal(err)
		}
		picture, err := decoder.DecodeFrame()
		if err != nil {
			t.Fatal(err)
		}
		data = nil
		c := picture.YCbCrAt(media.PatternWidth/2, media.PatternHeight/2)
		if got := studioRGB(c.Y, c.Cb, c.Cr); near(got[0], want.R) > 4 || near(got[1], want.G) > 4 || near(got[2], want.B) > 4 {
			t.Fatalf("a picture of colour %v, want %v", got, want)
		}
		number, ok := media.PatternFrame(picture)
		if !ok || number <= last {
			t.Fatalf("frame number %d, %v, behind %d", number, ok, last)
		}
		if last, seen = number, seen+1; seen == 20 {
			return
		}
	}
}

// studioRGB converts as a browser does what VP8 carries: BT.601 in studio range.
func studioRGB(y, cb, cr uint8) [3]float64 {
	l, b, r := (float64(y)-16)*255/219, (float64(cb)-128)*255/224, (float64(cr)-128)*255/224
	return [3]float64{l + 1.402*r, l - 0.344136*b - 0.714136*r, l + 1.772*b}
}

func near(a float64, b uint8) float64 { return max(a-float64(b), float64(b)-a) }

// A file that is damaged in its middle is played up to there, and that is said once.
func TestDamagedFileIsTold(t *testing.T) {
	t.Parallel()
	url := serve(t, nil)
	whole, err := os.ReadFile(clips + "vp8.ivf")
	if err != nil {
		t.Fatal(err)
	}
	clip := filepath.Join(t.TempDir(), "반.ivf")
	if err := os.WriteFile(clip, whole[:len(whole)/3], 0o600); err != nil {
		t.Fatal(err)
	}
	jiwoo := start(t, url, "지우", "-video", clip, "-audio", "none")
	start(t, url, "bob", "-video", "none", "-audio", "none") // a film that nobody sees is not played
	l := jiwoo.until("what is wrong with the clip", func(l line) bool { return l.Event == "problem" })
	if !strings.HasPrefix(l.Error, "-video: "+clip+": cut off") {
		t.Error(l.Error)
	}
	for range 2 {
		jiwoo.until("another second", func(l line) bool {
			if l.Event == "problem" {
				t.Error("printed twice")
			}
			return l.Event == "stats"
		})
	}
}

// The time in the call begins with the call, however long the hub takes.
func TestDurationBeginsWithTheCall(t *testing.T) {
	t.Parallel()
	p := start(t, serve(t, nil), "지우", "-video", "none", "-audio", "none", "-duration", "1ms")
	p.until("joined", func(l line) bool { return l.Event == "joined" })
}
