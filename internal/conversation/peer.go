package conversation

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/signal"
)

// The codecs that the other member has.
var (
	videoCodec = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90_000}
	audioCodec = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48_000, Channels: 2}
)

// peer is the other member's connection in one epoch.
type peer struct {
	pc            *webrtc.PeerConnection
	control, data *openChannel
	rows          map[string]*webrtc.RTPTransceiver // by track id
	spoken        string                            // our last description
	started       chan struct{}                     // closed once ICE has started
}

// What begins frames of the room's state, and of signed chat, which no conversation is about.
const (
	stateFrame = 16
	chatFrame  = 17
)

// openChannel is a data channel that knows whether it is open.
type openChannel struct {
	*webrtc.DataChannel

	open chan struct{}
}

func (o *openChannel) ready() bool {
	select {
	case <-o.open:
		return true
	default:
		return false
	}
}

func newPeer(p *Player) (*peer, error) {
	media := &webrtc.MediaEngine{}
	for kind, codec := range map[webrtc.RTPCodecType]webrtc.RTPCodecParameters{
		webrtc.RTPCodecTypeVideo: {RTPCodecCapability: videoCodec, PayloadType: 96},
		webrtc.RTPCodecTypeAudio: {RTPCodecCapability: audioCodec, PayloadType: 111},
	} {
		if err := media.RegisterCodec(codec, kind); err != nil {
			return nil, err
		}
	}
	var settings webrtc.SettingEngine
	settings.DisableCloseByDTLS(true)
	settings.SetFireOnTrackBeforeFirstRTP(true)
	if p.settings != nil {
		p.settings(&settings)
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	x := &peer{pc: pc, rows: make(map[string]*webrtc.RTPTransceiver), started: make(chan struct{})}
	var once sync.Once
	pc.OnICEConnectionStateChange(func(webrtc.ICEConnectionState) { once.Do(func() { close(x.started) }) })
	x.control, err = x.channel("control", 0)
	if err == nil {
		x.data, err = x.channel("data", 1)
	}
	if err != nil {
		x.close()
		return nil, err
	}
	post := func(a arrival) {
		select {
		case p.arrived <- a:
		case <-p.over:
		}
	}
	for _, o := range []*openChannel{x.control, x.data} {
		o.OnOpen(func() {
			close(o.open)
			select {
			case p.opens <- struct{}{}:
			default: // there is a token already
			}
		})
	}
	x.control.OnMessage(func(m webrtc.DataChannelMessage) {
		var a arrival
		if a.message, a.err = signal.Decode(m.Data); a.err == nil {
			a.read()
		}
		post(a)
	})
	x.data.OnMessage(func(m webrtc.DataChannelMessage) {
		if len(m.Data) == 0 || m.Data[0] != stateFrame && m.Data[0] != chatFrame {
			post(dataArrival(m.Data))
		}
	})
	return x, nil
}

func dataArrival(b []byte) arrival {
	if len(b) < 5 {
		return arrival{err: fmt.Errorf("%d bytes on the data channel", len(b))}
	}
	frame := map[string]any{"type": "data", "kind": float64(b[0]), "number": float64(binary.BigEndian.Uint32(b[1:5]))}
	if len(b) > 5 {
		frame["text"] = string(b[5:])
	}
	return arrival{frame: frame}
}

func (x *peer) channel(label string, id uint16) (*openChannel, error) {
	negotiated := true
	d, err := x.pc.CreateDataChannel(label, &webrtc.DataChannelInit{ID: &id, Negotiated: &negotiated})
	if err != nil {
		return nil, err
	}
	return &openChannel{d, make(chan struct{})}, nil
}

func (x *peer) close() { _ = x.pc.GracefulClose() } // nothing to lose

// take acts on a frame of the client. It is called in the order of the stream.
func (x *peer) take(m *signal.Message) error {
	switch m.Type {
	case signal.TypeOffer, signal.TypeAnswer:
		var d signal.Description
		if err := signal.DecodeBody(m.Body, &d); err != nil {
			return err
		}
		t := webrtc.SDPTypeOffer
		if m.Type == signal.TypeAnswer {
			t = webrtc.SDPTypeAnswer
		}
		if err := x.start(); err != nil {
			return err
		}
		return x.pc.SetRemoteDescription(webrtc.SessionDescription{Type: t, SDP: d.SDP})
	case signal.TypeCandidates:
		var c signal.Candidates
		if err := signal.DecodeBody(m.Body, &c); err != nil {
			return err
		}
		for _, one := range c.Candidates {
			if one.Candidate == "" || !strings.Contains(x.pc.RemoteDescription().SDP, "a=ice-ufrag:"+c.Ufrag) {
				continue
			}
			if err := x.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: one.Candidate, SDPMid: &one.SDPMid}); err != nil {
				return err
			}
		}
	case signal.TypeTable:
		return signal.DecodeBody(m.Body, new(signal.TableBody))
	case signal.TypeWants:
		return signal.DecodeBody(m.Body, new(signal.WantsBody))
	default:
	}
	return nil
}

// start waits until ICE has started on the description that the client sent before, if there is one: pion would take
// the next for an ICE restart (docs/pion.md), and answer with other credentials.
func (x *peer) start() error {
	if x.pc.RemoteDescription() == nil {
		return nil
	}
	select {
	case <-x.started:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("ICE has not started after %v", patience)
	}
}

// describe replaces <sdp>, <restart>, <old sdp> and mids by the real ones.
func (x *peer) describe(t any, body map[string]any) error {
	table, _ := body["table"].(map[string]any)
	tracks, _ := table["tracks"].(map[string]any)
	var err error
	switch body["sdp"] {
	case "<sdp>", "<restart>":
		if t == string(signal.TypeOffer) {
			err = x.offer(tracks, body["sdp"] == "<restart>")
		} else {
			err = x.answer()
		}
		body["sdp"] = x.spoken
	case "<old sdp>":
		body["sdp"] = x.spoken
	}
	for mid, row := range tracks {
		if transceiver := x.rows[trackID(row)]; transceiver != nil && strings.HasPrefix(mid, "<") {
			delete(tracks, mid)
			tracks[transceiver.Mid()] = row
		}
	}
	return err
}

func trackID(row any) string {
	object, _ := row.(map[string]any)
	id, _ := object["id"].(string)
	return id
}

// offer makes an offer with a section for each track that has none.
func (x *peer) offer(tracks map[string]any, restart bool) error {
	for _, row := range tracks {
		id := trackID(row)
		if x.rows[id] != nil {
			continue
		}
		codec := videoCodec
		if object, _ := row.(map[string]any); object["kind"] == "audio" {
			codec = audioCodec
		}
		track, err := webrtc.NewTrackLocalStaticRTP(codec, id, "stream")
		if err != nil {
			return err
		}
		x.rows[id], err = x.pc.AddTransceiverFromTrack(track,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return err
		}
	}
	offer, err := x.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return err
	}
	return x.speak(offer)
}

func (x *peer) answer() error {
	answer, err := x.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	return x.speak(answer)
}

// speak sets a local description and waits until it has its candidates.
func (x *peer) speak(d webrtc.SessionDescription) error {
	gathered := webrtc.GatheringCompletePromise(x.pc)
	if err := x.pc.SetLocalDescription(d); err != nil {
		return err
	}
	select {
	case <-gathered:
	case <-time.After(patience):
		return fmt.Errorf("no candidates after %v", patience)
	}
	x.spoken = x.pc.LocalDescription().SDP
	return nil
}
