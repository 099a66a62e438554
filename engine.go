package noom

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"time"
	"unsafe"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"
)

// How fast a dead path is noticed. A path is interrupted after iceQuiet
// without an answer and failed iceGiveUp later.
const (
	iceQuiet     = 4 * time.Second
	iceGiveUp    = 8 * time.Second
	iceKeepalive = time.Second
	relayWait    = 500 * time.Millisecond
)

// engine is how pion is set up for all connections of a Room.
type engine struct {
	media    *webrtc.MediaEngine
	settings webrtc.SettingEngine
}

// api makes what one connection is made by: the bounds on a peer are of that
// connection, and pion's hooks do not say which one they are called for. Without a guard,
// it is only to look at.
func (e *engine) api(g *guard, p *checkPacer) (*webrtc.API, error) {
	registry := &interceptor.Registry{}
	if err := registerInterceptors(registry, e.settings.LoggerFactory); err != nil {
		return nil, fmt.Errorf("noom: register interceptors: %w", err)
	}
	s := e.settings
	if g != nil {
		registry.Add(g)
		s.BufferFactory = g.buffer
	}
	if p != nil {
		inner := netOf(&s)
		if inner == nil {
			var err error
			if inner, err = stdnet.NewNet(); err != nil {
				return nil, fmt.Errorf("noom: the network of this machine: %w", err)
			}
		}
		s.SetNet(pacedNet{inner, p, g})
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(e.media), webrtc.WithInterceptorRegistry(registry),
		webrtc.WithSettingEngine(s)), nil
}

// newEngine sets pion up: what makes joining fast and staying connected sure.
//
// refused is told of each refusal of a TURN server.
func newEngine(log *slog.Logger, hook func(*webrtc.SettingEngine), refused func(*turnRefusal)) (*engine, error) {
	media := &webrtc.MediaEngine{}
	if err := registerCodecs(media); err != nil {
		return nil, fmt.Errorf("noom: register codecs: %w", err)
	}
	var s webrtc.SettingEngine
	s.LoggerFactory = pionLog{log}
	s.SetICETimeouts(iceQuiet, iceGiveUp, iceKeepalive)
	// A pair is checked for as long as ICE tries at all: a path that is mended
	// half-way through is found.
	s.SetICEMaxBindingRequests(1000)
	// Nobody waits for a better candidate pair: the first that works is used,
	// and ICE moves on when a better one answers.
	s.SetSrflxAcceptanceMinWait(0)
	s.SetPrflxAcceptanceMinWait(0)
	// But for a relay: that is paid for by the byte, and whoever gave a TURN
	// server waits this long for a path without it. pion's 2 s are an eternity in a call.
	s.SetRelayAcceptanceMinWait(relayWait)
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
	hook(&s)
	if s.LoggerFactory == nil { // pion's own would write to stderr
		s.LoggerFactory = pionLog{log}
	}
	s.LoggerFactory = watchTURN(s.LoggerFactory, refused)
	return &engine{media, s}, nil
}

// hasNet reports whether s has a network of its own, such as a virtual one,
// which it does not tell in another way.
func hasNet(s *webrtc.SettingEngine) bool { return netOf(s) != nil }

// netOf returns the network of s, nil if it is this machine's. pion lets it be
// set and not be read.
func netOf(s *webrtc.SettingEngine) transport.Net {
	field := reflect.ValueOf(s).Elem().FieldByName("net")
	if !field.IsValid() || field.IsNil() {
		return nil
	}
	n, _ := reflect.TypeAssert[transport.Net](reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem())
	return n
}

// remoteNet returns what our settings say for the judgement of a peer's candidates.
func (e *engine) remoteNet() remoteNet {
	var own remoteNet
	candidates := reflect.ValueOf(&e.settings).Elem().FieldByName("candidates")
	if f := candidates.FieldByName("IncludeLoopbackCandidate"); f.IsValid() {
		own.loopback = f.Bool()
	}
	if types := candidates.FieldByName("ICENetworkTypes"); types.IsValid() {
		for i := range types.Len() {
			t := webrtc.NetworkType(types.Index(i).Int())
			own.tcp = own.tcp || t == webrtc.NetworkTypeTCP4 || t == webrtc.NetworkTypeTCP6
		}
	}
	if !hasNet(&e.settings) {
		own.broadcasts = broadcasts()
	}
	return own
}

// pionLog sends pion's log to ours. pion calls errors what an application
// sees every day (a lost candidate, a closed socket), so all of it is Debug.
type pionLog struct{ log *slog.Logger }

func (p pionLog) NewLogger(scope string) logging.LeveledLogger {
	return pionScope{p.log.With("pion", scope)}
}

type pionScope struct{ log *slog.Logger }

func (p pionScope) say(format string, args []any) {
	if p.log.Enabled(context.Background(), slog.LevelDebug) {
		p.log.Debug(fmt.Sprintf(format, args...))
	}
}

func (p pionScope) Trace(string)                 {}
func (p pionScope) Tracef(string, ...any)        {}
func (p pionScope) Debug(string)                 {}
func (p pionScope) Debugf(string, ...any)        {}
func (p pionScope) Info(msg string)              { p.say("%s", []any{msg}) }
func (p pionScope) Infof(f string, args ...any)  { p.say(f, args) }
func (p pionScope) Warn(msg string)              { p.say("%s", []any{msg}) }
func (p pionScope) Warnf(f string, args ...any)  { p.say(f, args) }
func (p pionScope) Error(msg string)             { p.say("%s", []any{msg}) }
func (p pionScope) Errorf(f string, args ...any) { p.say(f, args) }
