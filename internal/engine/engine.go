// Package engine owns how pion is set up: codecs, header extensions, interceptors, timings
// and the network. It notices when TURN servers refuse us.
package engine

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/packetio"
	"github.com/pion/webrtc/v4"

	"noom/internal/repair"
)

// The timings of ICE. They decide how soon a dead path is noticed: it is interrupted
// after iceQuiet without an answer, and has failed iceGiveUp later.
const (
	iceQuiet     = 4 * time.Second
	iceGiveUp    = 8 * time.Second
	iceKeepalive = time.Second
	prflxWait    = 100 * time.Millisecond
	relayWait    = 500 * time.Millisecond
)

// Options says how to make an Engine.
type Options struct {
	Log          *slog.Logger
	Media        *webrtc.MediaEngine               // nil: noom's codecs and header extensions, and Codecs
	Codecs       []webrtc.RTPCodecParameters       // in addition to noom's, accepted by packet.CheckExtra
	Interceptors func(*interceptor.Registry) error // adds some to noom's; called once; may be nil
	Net          transport.Net                     // nil: this machine's, or what Settings sets
	Settings     func(*webrtc.SettingEngine)       // may change noom's settings; called once; may be nil
	Refused      func(*TURNRefusal)                // called with each refusal, from pion's goroutines; may be nil
}

// Engine is how pion is set up for all connections of a Room.
type Engine struct {
	media    *webrtc.MediaEngine
	added    *interceptor.Registry // by Interceptors; nil: none
	settings webrtc.SettingEngine
	net      transport.Net // of Options
	machine  machine       // if there is no other
	ownNet   bool          // there is another network than this machine's
	loopback bool          // candidates are gathered on the loopback interface
}

// OwnNet reports whether the connections use another network than this machine's, for
// example a virtual one.
func (e *Engine) OwnNet() bool { return e.ownNet }

// Loopback reports whether candidates are gathered on the loopback interface.
func (e *Engine) Loopback() bool { return e.loopback }

// New sets up pion so that joining is fast and connections last.
func New(o Options) (*Engine, error) {
	if o.Media == nil {
		o.Media = &webrtc.MediaEngine{}
		if err := registerCodecs(o.Media, o.Codecs); err != nil {
			return nil, fmt.Errorf("noom: register codecs: %w", err)
		}
	}
	s := ownSettings()
	s.LoggerFactory = pionLog{o.Log}
	p := &probeNet{}
	if o.Settings != nil {
		s.SetNet(p)
		o.Settings(&s)
	}
	if s.LoggerFactory == nil { // pion's default would write to stderr
		s.LoggerFactory = pionLog{o.Log}
	}
	s.LoggerFactory = watchTURN(s.LoggerFactory, o.Refused)
	e := &Engine{media: o.Media, settings: s}
	if o.Interceptors != nil {
		e.added = new(interceptor.Registry)
		if err := o.Interceptors(e.added); err != nil {
			return nil, fmt.Errorf("noom: add the interceptors of Config: %w", err)
		}
	}
	if o.Settings != nil {
		if err := e.probe(s, p); err != nil {
			return nil, fmt.Errorf("noom: gather with the function Settings of Config: %w", err)
		}
	}
	if o.Net != nil {
		e.net, e.ownNet = o.Net, true
		e.settings.SetNet(o.Net)
	}
	return e, nil
}

// ownSettings returns noom's settings, before the user changes them.
func ownSettings() (s webrtc.SettingEngine) {
	s.SetICETimeouts(iceQuiet, iceGiveUp, iceKeepalive)
	// Check each pair for as long as ICE tries at all, so that a path that begins to
	// work in the middle is found.
	s.SetICEMaxBindingRequests(1000)
	// Do not wait for a better candidate pair: the first that works is used, and pion
	// stays with the pair that it has nominated.
	s.SetSrflxAcceptanceMinWait(0)
	// A relay is an exception, because users pay for it by the byte: wait this long for
	// a path without it. pion's default of 2 s is an eternity in a call.
	s.SetRelayAcceptanceMinWait(relayWait)
	// So is a peer-reflexive candidate, for a moment: a check may overtake the candidate it
	// belongs to (RFC 8838 section 11.4), and until that arrives, a relay looks like a NAT.
	s.SetPrflxAcceptanceMinWait(prflxWait)
	// DTLS need not verify the address against spoofing (RFC 6347 section 4.2.1),
	// because ICE has verified it already.
	s.SetDTLSInsecureSkipHelloVerify(true)
	// If both ends support it, SCTP's handshake is part of the descriptions.
	s.EnableSctpSnap(true)
	// After an outage, data flows again within this time and not within a minute.
	s.SetSCTPRTOMax(2 * time.Second)
	// A close_notify must not end a connection that is being renegotiated. Members say
	// goodbye by a message.
	s.DisableCloseByDTLS(true)
	// Tracks come from negotiation and the track table, so that a track that is paused
	// from the start exists too.
	s.SetFireOnTrackBeforeFirstRTP(true)
	return s
}

// Bounds are the bounds that one connection puts on its peer. Each connection has its
// own, because pion's hooks do not say for which connection they are called. The zero
// value sets none.
type Bounds struct {
	Traffic     interceptor.Factory // numbers and paces what is sent; may be nil
	Wire        interceptor.Factory // the last before the network; it is none of the bounds, but as much the connection's
	Interceptor interceptor.Factory
	Repair      interceptor.Factory // asks for what was lost; nil: one that never hears of repairs
	Answers     interceptor.Factory // sends again what the peer asks for; nil: one that shares nothing with others
	Buffer      func(packetio.BufferPacketType, uint32) io.ReadWriteCloser
	Net         func(transport.Net) transport.Net // wraps the network, except one that Settings has set
	Checked     func()                            // called for each check (RFC 8445) that has our credentials; may be nil
}

// Shared reports whether interceptors of the application read what peers report.
func (e *Engine) Shared() bool { return e.added != nil }

// API returns the API that makes one connection.
func (e *Engine) API(b Bounds) (*webrtc.API, error) {
	registry := &interceptor.Registry{}
	if b.Wire != nil {
		registry.Add(b.Wire)
	}
	if b.Traffic != nil {
		registry.Add(b.Traffic)
	}
	if b.Repair == nil {
		b.Repair = repair.NewAsker()
	}
	if b.Answers == nil {
		b.Answers = repair.NewAnswerer()
	}
	registerInterceptors(registry, b.Repair, b.Answers)
	if e.added != nil {
		registry.Add(chain{e.added})
	}
	s := e.settings
	if b.Interceptor != nil {
		registry.Add(b.Interceptor)
	}
	if b.Buffer != nil {
		s.BufferFactory = b.Buffer
	}
	if b.Checked != nil {
		s.SetICEBindingRequestHandler(func(*stun.Message, ice.Candidate, ice.Candidate, *ice.CandidatePair) bool {
			b.Checked()
			return false
		})
	}
	if b.Net != nil && (e.net != nil || !e.ownNet) {
		inner := e.net
		if inner == nil {
			inner = &e.machine
		}
		s.SetNet(b.Net(inner))
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(e.media), webrtc.WithInterceptorRegistry(registry),
		webrtc.WithSettingEngine(s)), nil
}

// chain makes the interceptors of a registry for one connection.
type chain struct{ of *interceptor.Registry }

// NewInterceptor implements interceptor.Factory.
func (c chain) NewInterceptor(id string) (interceptor.Interceptor, error) { return c.of.Build(id) }
