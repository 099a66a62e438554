package noom

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/pion/webrtc/v4"

	"noom/internal/uplink"
	"noom/signal"
)

// LocalTrack is a track to publish, and the name the others see it under.
type LocalTrack struct {
	Name  string // "camera", "microphone", "screen", …; empty: by kind, camera or microphone
	Track webrtc.TrackLocal
	Muted bool // from the start, until Sender.SetMuted
}

// Config says how to join. The zero Config works, and so does a nil one.
type Config struct {
	// Name is the nickname: any language, up to 128 bytes, empty allowed.
	Name string
	// Identity is the key pair that makes this member itself. Zero: a fresh
	// one. Keep it ([NewIdentity]) to come back as the same member.
	Identity Identity
	// Token is handed to the hub's Authorize, up to 4096 bytes: a signed token
	// or a room's password, whichever the hub wants.
	Token string
	// TokenSource, if not nil, is asked before each join, the returns after a
	// loss included, and takes the place of Token: for tokens that live shorter
	// than calls. A member whose authorisation has ended comes back with a new
	// one. An error of it counts as a failed dial; ctx bounds the join.
	TokenSource func(ctx context.Context) (string, error)
	// Tracks are published from the very first offer on, which saves a round
	// trip against [Room.Publish].
	Tracks []LocalTrack
	// ICEServers are the STUN and TURN servers to use; nil: those the hub
	// hands out; empty but not nil: none. One that pion cannot use is an error of
	// Join here, and left out of what the hub hands out.
	ICEServers []webrtc.ICEServer
	// Logger gets noom's log. Nil: nothing is logged. Descriptions appear at
	// Debug only, secrets never.
	Logger *slog.Logger
	// Verify is asked about every other member before a connection to it is
	// made or accepted. Nil accepts everyone; an error refuses that member:
	// it stays in no list and gets no connection. It must not call the Room.
	Verify func(Member) error

	// EventBuffer is how many events wait for [Room.Next] before old chat is
	// dropped and what cancels out is merged. 0: 1024. Least: 64.
	EventBuffer int
	// ConnectTimeout is how long a connection may take to come up before it
	// is rebuilt. 0: 15 s. Least: 1 s.
	ConnectTimeout time.Duration
	// DialTimeout bounds one dial and join, the first one too if the context
	// given to [Join] has no deadline. 0: 5 s. Least: 100 ms.
	DialTimeout time.Duration
	// RedialMax caps the pause between two dials after the connection to the
	// hub was lost; it starts at 100 ms, doubles, and is jittered. 0: 2 s. Least: 100 ms.
	RedialMax time.Duration

	// IgnoreNetwork turns off watching the addresses of this machine. They are
	// watched while there is a connection, once for all Rooms of the process,
	// unless Settings sets a network of its own; see [Room].NetworkChanged.
	IgnoreNetwork bool

	// Trace, if not nil, is told of each frame sent and received and of each
	// decision, so that what happened can be drawn later. It is called
	// synchronously, from several goroutines at once; it must be quick and must
	// not call the Room.
	Trace func(Trace)
	// TraceBodies lets Trace see what descriptions and candidates say, network
	// addresses included.
	TraceBodies bool

	// Settings, if not nil, may change pion's settings after noom has set its
	// own. It is called once, by Join.
	Settings func(*webrtc.SettingEngine)
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
	if d.EventBuffer == 0 {
		d.EventBuffer = 1024
	}
	for _, t := range []struct {
		name        string
		value       *time.Duration
		zero, least time.Duration
	}{
		{"ConnectTimeout", &d.ConnectTimeout, 15 * time.Second, time.Second},
		{"DialTimeout", &d.DialTimeout, 5 * time.Second, 100 * time.Millisecond},
		{"RedialMax", &d.RedialMax, 2 * time.Second, uplink.FirstRedial},
	} {
		if *t.value == 0 {
			*t.value = t.zero
		}
		if *t.value < t.least {
			return d, fmt.Errorf("field %s of Config is %v, it must be at least %v", t.name, *t.value, t.least)
		}
	}
	if d.EventBuffer < 64 {
		return d, fmt.Errorf("field EventBuffer of Config is %d, it must be at least 64", d.EventBuffer)
	}
	return d, nil
}
