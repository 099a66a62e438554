package engine

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"
)

// TestSettings: the engine knows what the user has set, and a network is wrapped unless only Settings knows it.
func TestSettings(t *testing.T) {
	own := &stdnet.Net{} // without any interface
	loopback := func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) }
	for name, c := range map[string]struct {
		net                     transport.Net
		settings                func(*webrtc.SettingEngine)
		ownNet, loopback, wraps bool
	}{
		"nothing":              {nil, nil, false, false, true},
		"empty":                {nil, func(*webrtc.SettingEngine) {}, false, false, true},
		"net":                  {own, nil, true, false, true},
		"net in settings":      {nil, func(s *webrtc.SettingEngine) { s.SetNet(own) }, true, false, false},
		"net twice":            {own, func(s *webrtc.SettingEngine) { s.SetNet(&stdnet.Net{}) }, true, false, true},
		"loopback":             {nil, loopback, false, true, true},
		"loopback of a net":    {own, loopback, true, true, true},
		"loopback of settings": {nil, func(s *webrtc.SettingEngine) { s.SetNet(own); loopback(s) }, true, true, false},
		"loopback filtered": {nil, func(s *webrtc.SettingEngine) {
			loopback(s)
			s.SetIPFilter(func(ip net.IP) bool { return !ip.IsLoopback() })
		}, false, false, true},
		"loopback with TCP only": {nil, func(s *webrtc.SettingEngine) {
			loopback(s)
			s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
		}, false, true, true},
		"lite": {nil, func(s *webrtc.SettingEngine) { s.SetLite(true) }, false, false, true},
	} {
		e, err := New(Options{Log: slog.New(slog.DiscardHandler), Net: c.net, Settings: c.settings})
		must(t, err)
		if e.OwnNet() != c.ownNet || e.Loopback() != c.loopback {
			t.Errorf("%s: network %t, loopback %t", name, e.OwnNet(), e.Loopback())
		}
		var wrapped transport.Net
		_, err = e.API(Bounds{Net: func(inner transport.Net) transport.Net {
			wrapped = inner
			return inner
		}})
		must(t, err)
		if (wrapped != nil) != c.wraps || c.net != nil && wrapped != c.net {
			t.Errorf("%s: wrapped is %v", name, wrapped)
		}
	}
}

// TestSettingsOfAMux: the probe leaves the user's sockets open.
func TestSettingsOfAMux(t *testing.T) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	mux := webrtc.NewICEUDPMux(nil, socket)
	defer func() { must(t, mux.Close()) }()
	e, err := New(Options{Log: slog.New(slog.DiscardHandler), Settings: func(s *webrtc.SettingEngine) {
		s.SetICEUDPMux(mux)
		s.SetIncludeLoopbackCandidate(true)
	}})
	must(t, err)
	if e.OwnNet() || !e.Loopback() {
		t.Errorf("network %t, loopback %t", e.OwnNet(), e.Loopback())
	}
	_, err = socket.WriteTo([]byte("x"), socket.LocalAddr())
	must(t, err)
}

// TestTCPOnlyIfAsked: pion connects to a peer's TCP candidate only if Settings asks for TCP.
func TestTCPOnlyIfAsked(t *testing.T) {
	for name, types := range map[string][]webrtc.NetworkType{
		"not asked": nil,
		"asked":     {webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4},
	} {
		e, err := New(Options{Log: slog.New(slog.DiscardHandler), Settings: func(s *webrtc.SettingEngine) {
			s.SetIncludeLoopbackCandidate(true)
			if types != nil {
				s.SetNetworkTypes(types)
			}
		}})
		must(t, err)
		listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		must(t, err)
		g := offerCandidate(t, e, listener.Addr().(*net.TCPAddr))
		wait := 5 * time.Second
		if types == nil {
			wait = 200 * time.Millisecond // a connection on loopback is made at once
		}
		must(t, listener.SetDeadline(time.Now().Add(wait)))
		c, err := listener.Accept()
		if err == nil {
			_ = c.Close()
		}
		if types == nil != errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: accepted %v, %v", name, c, err)
		}
		must(t, g.Close())
		must(t, listener.Close())
	}
}

// offerCandidate makes one end of a connection, and gives it a passive candidate at that address.
func offerCandidate(t *testing.T, e *Engine, at *net.TCPAddr) *webrtc.ICEGatherer {
	t.Helper()
	api, err := e.API(Bounds{})
	must(t, err)
	g, err := api.NewICEGatherer(webrtc.ICEGatherOptions{})
	must(t, err)
	gathered := make(chan struct{})
	g.OnLocalCandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			close(gathered)
		}
	})
	must(t, g.Gather())
	<-gathered
	must(t, api.NewICETransport(g).AddRemoteCandidate(&webrtc.ICECandidate{
		Foundation: "1", Priority: 1, Address: at.IP.String(), Port: uint16(at.Port), Component: 1,
		Protocol: webrtc.ICEProtocolTCP, TCPType: "passive", Typ: webrtc.ICECandidateTypeHost,
	}))
	return g
}
