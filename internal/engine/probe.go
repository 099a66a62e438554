package engine

import (
	"errors"
	"log/slog"
	"net"
	"sync/atomic"

	"github.com/pion/ice/v4"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"
)

// A user's function may set what pion can set and cannot report: another network, and
// candidates on the loopback interface. So pion gathers once with these settings, on a probe
// in place of this machine's network, and the probe sees what it is asked for.

// probeNet is a network with a loopback interface only, on which nothing can be opened.
type probeNet struct {
	stdnet.Net             // for what opens nothing
	asked      atomic.Bool // for its interfaces: it is the network that pion uses
	loopback   atomic.Bool // a socket was wanted on the loopback interface
}

var errProbe = errors.New("noom: nothing can be opened on a probe")

func (p *probeNet) Interfaces() ([]*transport.Interface, error) {
	p.asked.Store(true)
	lo := transport.NewInterface(net.Interface{Index: 1, MTU: 65536, Name: "lo", Flags: net.FlagUp | net.FlagLoopback})
	lo.AddAddress(&net.IPNet{IP: net.IPv4(127, 0, 0, 1), Mask: net.CIDRMask(8, 32)})
	lo.AddAddress(&net.IPNet{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)})
	return []*transport.Interface{lo}, nil
}

func (p *probeNet) ListenUDP(_ string, local *net.UDPAddr) (transport.UDPConn, error) {
	if local != nil && local.IP.IsLoopback() {
		p.loopback.Store(true)
	}
	return nil, errProbe
}

func (p *probeNet) ListenPacket(string, string) (net.PacketConn, error) { return nil, errProbe }

func (p *probeNet) ListenTCP(string, *net.TCPAddr) (transport.TCPListener, error) {
	return nil, errProbe
}

// probe sets what the user's function said of the network. s has the probe p as its network,
// unless the function set another.
func (e *Engine) probe(s webrtc.SettingEngine, p *probeNet) error {
	if err := gather(s); err != nil {
		return err
	}
	if !p.asked.Load() { // the network is the user's own
		e.ownNet = true
		s.SetNet(p)
		if err := gather(s); err != nil {
			return err
		}
	} else {
		e.settings.SetNet(nil)
	}
	e.loopback = p.loopback.Load()
	return nil
}

// gather has ICE gather host candidates as s says, and closes them.
func gather(s webrtc.SettingEngine) error {
	s.LoggerFactory = pionLog{slog.New(slog.DiscardHandler)} // on a probe, everything fails
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetICEUDPMux(nil) // the user's sockets are left alone
	s.SetICETCPMux(nil)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	g, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewICEGatherer(webrtc.ICEGatherOptions{})
	if err != nil {
		return err
	}
	done := make(chan struct{})
	g.OnLocalCandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			close(done)
		}
	})
	if err := g.Gather(); err != nil {
		return err
	}
	<-done
	return g.Close()
}
