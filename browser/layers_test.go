package browser_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/fanout"
	"noom/internal/longtest"
	"noom/internal/mediatest"
	"noom/internal/packet"
)

// encodes lets a page send its pictures in one codec, in encodings of the test's.
const encodes = `
	window.encodes = (codec, sendEncodings) => {
		const add = RTCPeerConnection.prototype.addTransceiver;
		RTCPeerConnection.prototype.addTransceiver = function (track, init) {
			const transceiver = add.call(this, track, { ...init, sendEncodings });
			const helps = ({ mimeType }) => mimeType === 'video/' + codec || mimeType === 'video/rtx';
			transceiver.setCodecPreferences(RTCRtpReceiver.getCapabilities('video').codecs.filter(helps));
			return transceiver;
		};
	};
	window.look = async (sdp) => {
		window.raw = new RTCPeerConnection();
		raw.ontrack = ({ track }) => document.body.append(Object.assign(document.createElement('video'),
			{ muted: true, autoplay: true, srcObject: new MediaStream([track]) }));
		await raw.setRemoteDescription({ type: 'offer', sdp });
		await raw.setLocalDescription();
		return raw.localDescription.sdp;
	};
	window.looked = async () => [...(await raw.getStats()).values()].find((s) => s.type === 'inbound-rtp');`

// republished is a track of a page that is published again.
type republished struct {
	*webrtc.TrackLocalStaticRTP
	from     noom.RemoteTrack
	pictures atomic.Int32 // that have come from the page
}

// Bind also passes on requests for key frames.
func (r *republished) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, err := r.TrackLocalStaticRTP.Bind(ctx)
	go func() {
		b := make([]byte, packet.ReceiveMTU)
		for {
			n, _, closed := ctx.RTCPReader().Read(b, nil)
			if closed != nil {
				return
			}
			if _, malformed := rtcp.Unmarshal(b[:n]); malformed == nil {
				_ = r.from.RequestKeyframe() // asked again, if it cannot be now
			}
		}
	}()
	return codec, err
}

// TestLayersOfAPage: what a page sends in layers is published again by a member in Go, and shown by a browser, with all
// layers and with the lowest temporal one alone, without a request for a key frame in between.
func TestLayersOfAPage(t *testing.T) {
	longtest.Only(t)
	for _, test := range []struct{ codec, mode string }{
		{"VP9", "L1T3"}, {"AV1", "L1T3"}, {"VP9", "L3T3_KEY"}, {"AV1", "L1T2"}, {"AV1", "L3T3"},
	} {
		t.Run(test.codec+" "+test.mode, func(t *testing.T) {
			t.Parallel()
			testLayersOfAPage(t, test.codec, test.mode)
		})
	}
}

func testLayersOfAPage(t *testing.T, codec, mode string) {
	t.Helper()
	l := newLab(t)
	tab := l.open(browsertest.Chromium.Start(t), camera+encodes)
	tab.Do(fmt.Sprintf(`encodes('%s', [{ scalabilityMode: '%s' }]); enter('지우', { tracks: [scene()] })`, codec, mode))
	room := joinOver(t, l, nil)
	track := republish(t, room)
	sender, err := fanout.NewSender(track, fanout.Options{}, fanout.Hooks{OnChange: func() {}, OnClose: func() {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close() }) // nothing to lose
	leg := fanout.NewLeg(sender.Codec().RTPCodecCapability, "앱", nil)
	leg.Attach(sender)
	show(t, tab, leg)
	tab.Wait("a picture", `looked().then((s) => s.framesDecoded > 30)`)

	type looked struct {
		Decoded int `json:"framesDecoded"`
		Asked   int `json:"pliCount"`
		Lost    int `json:"packetsLost"`
		Height  int `json:"frameHeight"`
	}
	shown := func(limit int) (share float64, now looked) {
		leg.Limit(limit)
		<-time.After(time.Second) // what has been sent is shown by then
		before, came := browsertest.Eval[looked](tab, `looked()`), track.pictures.Load()
		<-time.After(5 * time.Second)
		now = browsertest.Eval[looked](tab, `looked()`)
		return float64(now.Decoded-before.Decoded) / float64(track.pictures.Load()-came), now
	}
	most := 0.45 // three layers
	if mode == "L1T2" {
		most = 0.7
	}
	all, first := shown(fanout.AllLayers)
	for i := 0; i < 5 && all < 0.8; i++ { // at first the page changes sizes and layers
		all, first = shown(fanout.AllLayers)
	}
	base, second := shown(0)
	again, third := shown(fanout.AllLayers)
	t.Logf("%.2f, %.2f and %.2f of the pictures were shown; %+v, %+v, %+v", all, base, again, first, second, third)
	if all < 0.8 || again < 0.8 || base > most || base < 0.15 {
		t.Errorf("%.2f, %.2f and %.2f of the pictures were shown", all, base, again)
	}
	if third.Asked != first.Asked || third.Lost != first.Lost {
		t.Errorf("the picture was broken: %+v, then %+v", first, third)
	}
}

// trackOf returns the picture of the one page in a room.
func trackOf(t *testing.T, room noom.Room) noom.RemoteTrack {
	t.Helper()
	for event := range room.Events(t.Context()) {
		if added, ok := event.(noom.TrackAdded); ok {
			return added.Track
		}
	}
	t.Fatal("no track came")
	return nil
}

// republish returns the picture of the one page in a room, as a track.
func republish(t *testing.T, room noom.Room) *republished {
	t.Helper()
	from := trackOf(t, room)
	tap := from.Tap()
	t.Cleanup(func() { _ = tap.Close() }) // never fails
	if _, err := tap.ReadRTP(); err != nil {
		t.Fatal(err)
	}
	static, err := webrtc.NewTrackLocalStaticRTP(from.Codec().RTPCodecCapability, "picture", "app")
	if err != nil {
		t.Fatal(err)
	}
	r := &republished{TrackLocalStaticRTP: static, from: from}
	go func() {
		var latest uint32
		for {
			p, err := tap.ReadRTP()
			if err != nil || r.WriteRTP(p) != nil {
				return
			}
			if p.Timestamp != latest {
				latest = p.Timestamp
				r.pictures.Add(1)
			}
		}
	}()
	return r
}

// show has a page show what a leg sends, over a connection of its own.
func show(t *testing.T, tab *browsertest.Tab, leg *fanout.Leg) {
	t.Helper()
	m := &webrtc.MediaEngine{}
	for _, c := range packet.CodecsFor(webrtc.RTPCodecTypeVideo) {
		if err := m.RegisterCodec(c, webrtc.RTPCodecTypeVideo); err != nil {
			t.Fatal(err)
		}
	}
	descriptor := webrtc.RTPHeaderExtensionCapability{URI: packet.DependencyURI}
	if err := m.RegisterHeaderExtension(descriptor, webrtc.RTPCodecTypeVideo); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.GracefulClose() }) // nothing to lose
	transceiver, err := pc.AddTransceiverFromTrack(leg, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			leg.Connected()
		}
	})
	go mediatest.Drain(func(buf []byte) error { return leg.ReadRTCP(transceiver.Sender(), buf) })
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	answer := browsertest.Eval[string](tab, fmt.Sprintf(`look(%q)`, pc.LocalDescription().SDP))
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatal(err)
	}
}
