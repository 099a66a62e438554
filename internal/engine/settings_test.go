package engine

import (
	"log/slog"
	"testing"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"
)

// TestSettings: the engine knows what the user has set, and the zero settings set nothing.
func TestSettings(t *testing.T) {
	own := &stdnet.Net{}
	for name, c := range map[string]struct {
		settings           func(*webrtc.SettingEngine)
		net, loopback, tcp bool
	}{
		"none":     {nil, false, false, false},
		"net":      {func(s *webrtc.SettingEngine) { s.SetNet(own) }, true, false, false},
		"loopback": {func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) }, false, true, false},
		"TCP": {func(s *webrtc.SettingEngine) {
			s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP6})
		}, false, false, true},
		"UDP only": {func(s *webrtc.SettingEngine) {
			s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		}, false, false, false},
	} {
		e, err := New(Options{Log: slog.New(slog.DiscardHandler), Settings: c.settings})
		must(t, err)
		if e.OwnNet() != c.net || e.Loopback() != c.loopback || e.TCP() != c.tcp {
			t.Errorf("%s: network %t, loopback %t, TCP %t", name, e.OwnNet(), e.Loopback(), e.TCP())
		}
		wrapped := false
		_, err = e.API(Bounds{Net: func(inner transport.Net) transport.Net {
			wrapped = inner != nil && (inner == transport.Net(own)) == c.net
			return inner
		}})
		must(t, err)
		if !wrapped {
			t.Errorf("%s: the wrong network is wrapped", name)
		}
	}
}
