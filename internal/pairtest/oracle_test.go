package pairtest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/rtcerr"
)

// TestOracle holds the table against pion: every operation, rollback included,
// in every state. An upgrade of pion that changes one is noticed here.
func TestOracle(t *testing.T) {
	api := webrtc.NewAPI(webrtc.WithSettingEngine(silent()))
	for s := Stable; s <= Closed; s++ {
		for op := range operations {
			p := newPair(t, api)
			p.bring(t, s)
			err := p.do(op)
			next, ok := After(s, op)
			if ok != (err == nil) {
				t.Errorf("%v in %v: the table says %t, pion %v", op, s, ok, err)
				continue
			}
			if !ok {
				next = s // what was refused has changed nothing
				var state *rtcerr.InvalidStateError
				var modification *rtcerr.InvalidModificationError
				if !errors.As(err, &state) && !errors.As(err, &modification) {
					t.Errorf("%v in %v is refused for another reason than the state: %v", op, s, err)
				}
			}
			if got := p.pc.SignalingState().String(); got != next.String() {
				t.Errorf("%v in %v leads to %s, not to %v", op, s, got, next)
			}
		}
	}
}

// TestOracleCandidates: a candidate needs a remote description, and one of
// another generation is refused or ignored, but breaks nothing.
func TestOracleCandidates(t *testing.T) {
	api := webrtc.NewAPI(webrtc.WithSettingEngine(silent()))
	p := newPair(t, api)
	candidate := webrtc.ICECandidateInit{Candidate: "candidate:1 1 udp 2130706431 192.0.2.1 9 typ host"}
	if err := p.pc.AddICECandidate(candidate); err == nil {
		t.Error("pion takes a candidate before there is a remote description")
	}
	p.bring(t, HaveRemoteOffer)
	if err := p.pc.AddICECandidate(candidate); err != nil {
		t.Error("pion refuses a candidate behind a remote offer:", err)
	}
}

// silent keeps pion from gathering and logging.
func silent() webrtc.SettingEngine {
	var s webrtc.SettingEngine
	s.SetInterfaceFilter(func(string) bool { return false })
	s.LoggerFactory = &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
	return s
}

// pair is the connection under test and one that makes descriptions for it.
type pair struct {
	pc, other *webrtc.PeerConnection
}

func newPair(t *testing.T, api *webrtc.API) *pair {
	t.Helper()
	p := &pair{}
	for _, pc := range []**webrtc.PeerConnection{&p.pc, &p.other} {
		var err error
		if *pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
			t.Fatal(err)
		}
		if _, err = (*pc).CreateDataChannel("x", nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = (*pc).Close() })
	}
	return p
}

// bring brings the connection under test into a state.
func (p *pair) bring(t *testing.T, s Signaling) {
	t.Helper()
	ways := [...][]Operation{
		Stable:             nil,
		HaveLocalOffer:     {SetLocalOffer},
		HaveRemoteOffer:    {SetRemoteOffer},
		HaveLocalPranswer:  {SetRemoteOffer, SetLocalPranswer},
		HaveRemotePranswer: {SetLocalOffer, SetRemotePranswer},
	}
	if s == Closed {
		if err := p.pc.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, op := range ways[s] {
		if err := p.do(op); err != nil {
			t.Fatalf("%v on the way to %v: %v", op, s, err)
		}
	}
	if got := p.pc.SignalingState().String(); got != s.String() {
		t.Fatalf("in %s, not in %v", got, s)
	}
}

// do carries an operation out, with a description that would be right if the
// state were.
func (p *pair) do(op Operation) error {
	switch op {
	case CreateOffer:
		_, err := p.pc.CreateOffer(nil)
		return err
	case CreateAnswer:
		_, err := p.pc.CreateAnswer(nil)
		return err
	case SetLocalOffer:
		d, err := p.pc.CreateOffer(nil)
		if err != nil {
			return err
		}
		return p.pc.SetLocalDescription(d)
	case SetLocalPranswer, SetLocalAnswer:
		d, err := p.pc.CreateAnswer(nil)
		if err != nil {
			return err
		}
		d.Type = webrtc.SDPTypeAnswer
		if op == SetLocalPranswer {
			d.Type = webrtc.SDPTypePranswer
		}
		return p.pc.SetLocalDescription(d)
	case SetLocalRollback:
		return p.pc.SetLocalDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeRollback, SDP: minimal})
	case SetRemoteRollback:
		return p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeRollback, SDP: minimal})
	case SetRemoteOffer:
		d, err := p.other.CreateOffer(nil)
		if err != nil {
			return err
		}
		return p.pc.SetRemoteDescription(d)
	case SetRemotePranswer, SetRemoteAnswer:
		return p.remoteAnswer(op)
	default:
		return fmt.Errorf("no operation %d", op)
	}
}

// minimal is a description that parses: pion reads one even for a rollback.
const minimal = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"

// remoteAnswer sets what the other answers to an offer of the connection's.
func (p *pair) remoteAnswer(op Operation) error {
	offer := p.pc.PendingLocalDescription()
	if offer == nil { // there is none to answer: any will do
		d, err := p.pc.CreateOffer(nil)
		if err != nil {
			return err
		}
		offer = &d
	}
	if p.other.SignalingState() == webrtc.SignalingStateStable {
		if err := p.other.SetRemoteDescription(*offer); err != nil {
			return err
		}
	}
	d, err := p.other.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if op == SetRemotePranswer {
		d.Type = webrtc.SDPTypePranswer
	}
	return p.pc.SetRemoteDescription(d)
}
