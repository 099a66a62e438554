package noom

import (
	"log/slog"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/signal"
)

// The types of the wire that are part of this package's face.
type (
	// Signaler is one connection to a hub; see [signal.Signaler].
	Signaler = signal.Signaler
	// Dialer opens them; see [signal.Dialer].
	Dialer = signal.Dialer
	// Member is who somebody is: ID, Name, PublicKey, Session.
	Member = signal.Member
)

// LocalTrack is a track to publish, and the name the others see it under.
type LocalTrack struct {
	Name  string // "camera", "microphone", "screen", …; empty: by kind, camera or microphone
	Track webrtc.TrackLocal
}

// Config says how to join. The zero Config works, and so does a nil one.
type Config struct {
	// Name is the nickname: any language, up to 128 bytes, empty allowed.
	Name string
	// Identity is the key pair that makes this member itself. Zero: a fresh
	// one. Keep it ([NewIdentity]) to come back as the same member.
	Identity Identity
	// Token is handed to the hub's Authorize, up to 4096 bytes.
	Token string
	// Tracks are published from the very first offer on, which saves a round
	// trip against [Room.Publish].
	Tracks []LocalTrack
	// ICEServers are the STUN and TURN servers to use; nil: those the hub
	// hands out; empty but not nil: none.
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
	// DialTimeout bounds one dial and join after the first. 0: 5 s.
	DialTimeout time.Duration
	// RedialMax caps the pause between two dials after the connection to the
	// hub was lost; it starts at 100 ms, doubles, and is jittered. 0: 2 s.
	RedialMax time.Duration

	// Settings, if not nil, may change pion's settings after noom has set its
	// own. It is called once, by Join.
	Settings func(*webrtc.SettingEngine)
}
