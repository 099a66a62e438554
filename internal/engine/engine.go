// Package engine owns how pion is set up: codecs, header extensions,
// interceptors, timings and the network. It notices what TURN servers refuse.
package engine

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/packetio"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"
)

// How fast a dead path is noticed. A path is interrupted after iceQuiet
// without an answer and failed iceGiveUp later.
const (
	iceQuiet     = 4 * time.Second
	iceGiveUp    = 8 * time.Second
	iceKeepalive = time.Second
	prflxWait    = 100 * time.Millisecond
	relayWait    = 500 * time.Millisecond
)

// Options says how an Engine is made.
type Options struct {
	Log      *slog.Logger
	Media    *webrtc.MediaEngine         // nil: noom's codecs and header extensions
	Settings func(*webrtc.SettingEngine) // may change noom's own, and is called once; nil: it does not
	Refused  func(*TURNRefusal)          // is called with each refusal, from goroutines of pion's
}

// Engine is how pion is set up for all connections of a Room.
type Engine struct {
	media    *webrtc.MediaEngine
	settings webrtc.SettingEngine
}

// New sets pion up: what makes joining fast and staying connected sure.
func New(o Options) (*Engine, error) {
	if o.Media == nil {
		o.Media = &webrtc.MediaEngine{}
		if err := registerCodecs(o.Media); err != nil {
			return nil, fmt.Errorf("noom: register codecs: %w", err)
		}
	}
	s := ownSettings()
	s.LoggerFactory = pionLog{o.Log}
	if o.Settings != nil {
		o.Settings(&s)
	}
	if s.LoggerFactory == nil { // pion's own would write to stderr
		s.LoggerFactory = pionLog{o.Log}
	}
	s.LoggerFactory = watchTURN(s.LoggerFactory, o.Refused)
	return &Engine{o.Media, s}, nil
}

// ownSettings are noom's, before the user's.
func ownSettings() (s webrtc.SettingEngine) {
	s.SetICETimeouts(iceQuiet, iceGiveUp, iceKeepalive)
	// A pair is checked for as long as ICE tries at all: a path that is mended
	// half-way through is found.
	s.SetICEMaxBindingRequests(1000)
	// Nobody waits for a better candidate pair: the first that works is used,
	// and ICE moves on when a better one answers.
	s.SetSrflxAcceptanceMinWait(0)
	// But for a relay: that is paid for by the byte, and users who configure a TURN
	// server wait this long for a path without it. pion's 2 s are an eternity in a call.
	s.SetRelayAcceptanceMinWait(relayWait)
	// A check may come before the candidate it belongs to (RFC 8838 section 11.4), and
	// until then nobody can tell a relay from a NAT.
	s.SetPrflxAcceptanceMinWait(prflxWait)
	// ICE has proven the return path already, so DTLS need not (RFC 6347
	// section 4.2.1 asks for it against spoofed addresses).
	s.SetDTLSInsecureSkipHelloVerify(true)
	// SCTP's handshake rides in the descriptions where both ends know how.
	s.EnableSctpSnap(true)
	// After an outage data flows again within this bound, not within a minute.
	s.SetSCTPRTOMax(2 * time.Second)
	// Goodbye is a message; a close_notify must not end a connection that is
	// just being renegotiated.
	s.DisableCloseByDTLS(true)
	// Tracks are known by what was negotiated and by the track table, so that
	// one that is paused from the start exists too.
	s.SetFireOnTrackBeforeFirstRTP(true)
	return s
}

// Bounds are those of one connection on its peer, because pion's hooks do not
// say which connection they are called for. The zero value sets none.
type Bounds struct {
	Interceptor interceptor.Factory
	Buffer      func(packetio.BufferPacketType, uint32) io.ReadWriteCloser
	Net         func(transport.Net) transport.Net // returns what stands between pion and the network
}

// API returns what one connection is made by.
func (e *Engine) API(b Bounds) (*webrtc.API, error) {
	registry := &interceptor.Registry{}
	if err := registerInterceptors(registry, e.settings.LoggerFactory); err != nil {
		return nil, fmt.Errorf("noom: register interceptors: %w", err)
	}
	s := e.settings
	if b.Interceptor != nil {
		registry.Add(b.Interceptor)
	}
	if b.Buffer != nil {
		s.BufferFactory = b.Buffer
	}
	if b.Net != nil {
		inner := netOf(&s)
		if inner == nil {
			var err error
			if inner, err = stdnet.NewNet(); err != nil {
				return nil, fmt.Errorf("noom: the network of this machine: %w", err)
			}
		}
		s.SetNet(b.Net(inner))
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(e.media), webrtc.WithInterceptorRegistry(registry),
		webrtc.WithSettingEngine(s)), nil
}
