package mediatest

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/transport/v5/vnet"
	"github.com/pion/webrtc/v4"

	"noom/internal/engine"
)

// Network is a virtual network. Everything on it must be made within the bubble of one test,
// and is closed there.
type Network struct {
	router *vnet.Router
	hosts  int

	Respell *strings.Replacer // changes the offers of calls; nil: it does not
}

// NewNetwork returns a network on which packets take 10 ms.
func NewNetwork(t *testing.T) *Network {
	t.Helper()
	router, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR: "10.0.0.0/16", MinDelay: 10 * time.Millisecond, QueueSize: 4096,
		LoggerFactory: logging.NewDefaultLoggerFactory(),
	})
	must(t, err)
	must(t, router.Start())
	t.Cleanup(func() { _ = router.Stop() })
	return &Network{router: router}
}

// connection returns a PeerConnection set up like those of a Room. It knows noom's codecs,
// or those in known.
func (n *Network) connection(t *testing.T, known ...webrtc.RTPCodecParameters) *webrtc.PeerConnection {
	t.Helper()
	var m *webrtc.MediaEngine
	if known != nil {
		m = &webrtc.MediaEngine{}
	}
	for _, codec := range known {
		must(t, m.RegisterCodec(codec, webrtc.RTPCodecTypeVideo))
	}
	return n.Connection(t, m, engine.Bounds{})
}

// Connection returns a PeerConnection set up like those of a Room. It knows noom's codecs,
// or those of m.
func (n *Network) Connection(t *testing.T, m *webrtc.MediaEngine, b engine.Bounds) *webrtc.PeerConnection {
	t.Helper()
	n.hosts++
	host, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{fmt.Sprintf("10.0.1.%d", n.hosts)}})
	must(t, err)
	must(t, n.router.AddNet(host))
	e, err := engine.New(engine.Options{Log: slog.New(slog.DiscardHandler), Media: m, Settings: func(s *webrtc.SettingEngine) {
		s.SetNet(host)
		s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	}})
	must(t, err)
	api, err := e.API(b)
	must(t, err)
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	must(t, err)
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return pc
}

// Call is a connection over which Out sends and In receives.
type Call struct {
	Out, In *webrtc.PeerConnection

	respell *strings.Replacer
}

// NewCall makes the two ends of a call. In knows noom's codecs, or those in known.
func (n *Network) NewCall(t *testing.T, known ...webrtc.RTPCodecParameters) *Call {
	t.Helper()
	return &Call{n.connection(t), n.connection(t, known...), n.Respell}
}

// Leg is what a call sends. *fanout.Leg is one.
type Leg interface {
	webrtc.TrackLocal
	ReadRTCP(rs *webrtc.RTPSender, buf []byte) error
	Connected()
}

// Drain calls read, which waits for one packet, until it fails.
func Drain(read func(buf []byte) error) {
	buf := make([]byte, 1500)
	for {
		if read(buf) != nil {
			return
		}
	}
}

// Connect connects a call that sends legs, and waits until media can flow.
func Connect[L Leg](t *testing.T, c *Call, legs []L) {
	t.Helper()
	up := make(chan struct{}, 2)
	for _, pc := range []*webrtc.PeerConnection{c.Out, c.In} {
		pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
			if state == webrtc.PeerConnectionStateConnected {
				up <- struct{}{}
			}
		})
	}
	for _, l := range legs {
		transceiver, err := c.Out.AddTransceiverFromTrack(l,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		must(t, err)
		go Drain(func(buf []byte) error { return l.ReadRTCP(transceiver.Sender(), buf) })
	}
	c.negotiate(t)
	<-up
	<-up
	for _, l := range legs {
		l.Connected()
	}
	synctest.Wait()
}

func (c *Call) negotiate(t *testing.T) {
	t.Helper()
	offer, err := c.Out.CreateOffer(nil)
	must(t, err)
	gathered := webrtc.GatheringCompletePromise(c.Out)
	must(t, c.Out.SetLocalDescription(offer))
	<-gathered
	offer = *c.Out.LocalDescription()
	if c.respell != nil {
		offer.SDP = c.respell.Replace(offer.SDP)
	}
	must(t, c.In.SetRemoteDescription(offer))
	answer, err := c.In.CreateAnswer(nil)
	must(t, err)
	gathered = webrtc.GatheringCompletePromise(c.In)
	must(t, c.In.SetLocalDescription(answer))
	<-gathered
	must(t, c.Out.SetRemoteDescription(*c.In.LocalDescription()))
}
