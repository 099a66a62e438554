package noom

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/pion/interceptor"
	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"

	"noom/internal/chat"
	"noom/internal/packet"
	"noom/internal/uplink"
	"noom/signal"
)

// LocalTrack is a track to publish, and the name under which the others see it.
type LocalTrack struct {
	Name  string // "camera", "microphone", "screen", …; empty: by kind, camera or microphone
	Track webrtc.TrackLocal
	Muted bool // published muted: nothing is sent until Sender.SetMuted

	Priority  Priority   // as in PublishOptions
	Encodings []Encoding // as in PublishOptions
}

// Config says how to join. The zero Config works, and so does nil.
type Config struct {
	// Name is the nickname: any language, up to 128 bytes, empty allowed.
	Name string
	// Identity is the key pair of this member. Zero: a fresh one. Make one with [NewIdentity] and keep it to come back
	// as the same member.
	Identity Identity
	// Token is passed to the hub's Authorize, up to 4096 bytes: a signed token or a room's password, as the hub
	// requires. One that the hub does not want is logged at level Warn.
	Token string
	// TokenSource, if not nil, replaces Token. It is called before each join, the returns after a loss included, so
	// that tokens may expire before calls end: a member whose authorisation has ended comes back with a new token.
	// An error counts as a failed dial. ctx bounds the join.
	TokenSource func(ctx context.Context) (string, error)
	// JoinInFrame keeps the join out of the header of the request that opens a WebSocket, where it saves a round trip:
	// the names of the room and the member, its public key, its session and its card, but never the token. A proxy that
	// ends TLS may log headers, and seldom logs frames; see PROTOCOL.md section 2.
	JoinInFrame bool
	// NoCard keeps the card out of the join: a first offer, made before we know who is there, so that whoever is there
	// answers at once, where media come up to three trips earlier. It costs some ms and a connection that is closed
	// again if nobody is there, and is left out if it has more than 1,536 bytes, as with more than some three Tracks.
	NoCard bool
	// Tracks are published with the very first offer, which saves a round trip compared with [Room.Publish].
	Tracks []LocalTrack
	// ICEServers are the STUN and TURN servers to use. Nil: those that the hub hands out; empty but not nil: none. One
	// that pion cannot use makes Join fail; unusable servers from the hub are skipped.
	ICEServers []webrtc.ICEServer
	// Logger receives noom's log. Nil: nothing is logged. Descriptions are logged at level Debug only, secrets never.
	Logger *slog.Logger
	// Verify is called for every other member before a connection to it is made or accepted. Nil accepts everyone. An
	// error refuses that member: it is in no list and gets no connection. Verify must not call the Room.
	Verify func(Member) error

	// History is how many chat messages this member keeps for those who come later, the last ones, of at most 262,144 bytes
	// of text; it also gets as many as the others have kept when it comes itself. Both take connections to them; the hub has
	// no part in it. 0: 100. Negative: none. Maximum: 1000.
	History int

	// EventBuffer is how many events wait for [Room.Next] before some are dropped: first those that later ones cancel
	// out or replace, and all requests to mute but the newest 64; then, if there are still too many, the oldest chat,
	// which [Lagged] reports. All others wait, however many they are. 0: 1024. Minimum: 64.
	EventBuffer int
	// ConnectTimeout is how long a connection may take to come up before it is rebuilt. 0: 15 s. Minimum: 1 s.
	ConnectTimeout time.Duration
	// DialTimeout bounds one dial and join, the first one only if the context of [Join] has no deadline. Several hubs share
	// it. 0: 10 s. Minimum: 100 ms.
	DialTimeout time.Duration
	// RedialMax caps the pause between two dials after the connection to the hub was lost. The pause starts at 100 ms,
	// doubles, and is jittered. 0: 2 s. Minimum: 100 ms.
	RedialMax time.Duration

	// MaxFileSize is how many bytes a file may have that a peer offers; larger ones are declined without an event. 0: 2^46.
	// It must not be negative.
	MaxFileSize int64

	// IgnoreNetwork turns off watching the addresses of this machine. By default they are watched while there is a
	// connection, once for all Rooms of the process, unless Net or Settings sets another network; see
	// [Room].NetworkChanged.
	IgnoreNetwork bool

	// Trace, if not nil, is called for each frame sent or received and for each decision, so that what happened can be
	// drawn later. It is called synchronously, from several goroutines at once; it must be quick and must not call
	// the Room.
	Trace func(Trace)
	// TraceBodies lets Trace see the contents of descriptions and candidates, network addresses included.
	TraceBodies bool

	// Net, if not nil, replaces this machine's network for all connections to peers, for example by a virtual one or by
	// one in user space. The connection to the hub is the Dialer's. It replaces a network that Settings sets. Nil: this
	// machine's, or the one that Settings sets.
	Net transport.Net

	// Settings, if not nil, may change pion's settings after noom has applied its own. It is called once, by Join. A
	// network belongs into Net: on one that Settings sets, noom does not pace connectivity checks (RFC 8445 section 14)
	// to addresses that peers name. A buffer factory and a handler of binding requests are replaced by noom's.
	Settings func(*webrtc.SettingEngine)

	// Codecs are offered to every peer in addition to noom's own, after those, so that tracks in them can be published
	// and received; a peer that does not know one refuses the track, see [TrackRefused]. At most 4. MimeType begins
	// with "audio/" or "video/"; PayloadType is from 96 to 127 (RFC 3551 section 6) and not 111; a video codec takes
	// the next number too, for its retransmissions, which noom adds. RTCPFeedback is noom's. noom sees key frames in
	// VP8, VP9, H.264 and AV1 alone: of another codec a receiver may get the stream from any packet on, right after
	// the source was asked for a key frame. A codec that cannot be offered makes [Join] fail with [ErrCodec].
	Codecs []webrtc.RTPCodecParameters
	// PreferredCodecs are the codecs in which this member would like to receive tracks, the best first, as MIME types such
	// as [webrtc.MimeTypeH264], of sound and video in one list; the others come after them, in noom's order, so nothing is
	// lost to a preference. A sender that encodes for each peer, as a browser does, sends in the first that it has; one
	// that encodes once for everyone, as a Go member does, in what it encodes. Each is one of noom's or in Codecs, in any
	// case, and named once; one that is not makes [Join] fail with [ErrCodec]. Nil: noom's order, which begins with Opus
	// and VP8. What a recording as MP4 takes is media.MP4Codecs.
	PreferredCodecs []string

	// Interceptors, if not nil, adds interceptors to noom's own, which repair and report. It is called once, by Join;
	// an error makes Join fail. Each connection then makes its own interceptors from the factories, several at a time.
	// They are further from the network than noom's: they see what is sent before noom keeps it for repetition and
	// numbers it, and not what is sent again; they see what arrives after noom has counted it. The registry must not
	// be changed later.
	Interceptors func(*interceptor.Registry) error
}

// withDefaults returns a checked copy with every zero filled in.
func (c *Config) withDefaults() (Config, error) {
	var d Config
	if c != nil {
		d = *c
	}
	d.Name = signal.CleanName(d.Name)
	if err := signal.CheckName(d.Name); err != nil {
		return d, signal.Errorf(signal.CodeBadName, signal.TypeJoin, "%v", err)
	}
	if len(d.Token) > signal.MaxToken {
		return d, fmt.Errorf("field Token of Config has %d bytes, at most %d are allowed", len(d.Token), signal.MaxToken)
	}
	if !utf8.ValidString(d.Token) {
		return d, errors.New("field Token of Config is not valid UTF-8")
	}
	if d.Identity.key == nil {
		d.Identity = NewIdentity()
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.History == 0 {
		d.History = chat.DefaultKeep
	}
	if d.History > chat.MaxKeep {
		return d, fmt.Errorf("field History of Config is %d, it must be at most %d", d.History, chat.MaxKeep)
	}
	if d.EventBuffer == 0 {
		d.EventBuffer = 1024
	}
	for _, t := range []struct {
		name        string
		value       *time.Duration
		zero, least time.Duration
	}{
		{"ConnectTimeout", &d.ConnectTimeout, 15 * time.Second, time.Second},
		{"DialTimeout", &d.DialTimeout, 10 * time.Second, 100 * time.Millisecond},
		{"RedialMax", &d.RedialMax, 2 * time.Second, uplink.FirstRedial},
	} {
		if *t.value == 0 {
			*t.value = t.zero
		}
		if *t.value < t.least {
			return d, fmt.Errorf("field %s of Config is %v, it must be at least %v", t.name, *t.value, t.least)
		}
	}
	if err := packet.CheckExtra(d.Codecs); err != nil {
		return d, fmt.Errorf("field Codecs of Config: %w", err)
	}
	d.Codecs = slices.Clone(d.Codecs)
	if err := packet.CheckPreferred(d.PreferredCodecs, d.Codecs); err != nil {
		return d, fmt.Errorf("field PreferredCodecs of Config: %w", err)
	}
	d.PreferredCodecs = slices.Clone(d.PreferredCodecs)
	if d.MaxFileSize < 0 {
		return d, fmt.Errorf("field MaxFileSize of Config is %d, it must not be negative", d.MaxFileSize)
	}
	if d.EventBuffer < 64 {
		return d, fmt.Errorf("field EventBuffer of Config is %d, it must be at least 64", d.EventBuffer)
	}
	return d, nil
}
