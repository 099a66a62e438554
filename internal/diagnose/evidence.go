package diagnose

import (
	"slices"
	"strings"
	"time"
)

// Evidence is what a link knows about the way to being connected.
type Evidence struct {
	Online    bool  // at a hub
	Lost      bool  // the hub has lost the member
	Connected bool  // channels are open, the path lives; by an older connection perhaps
	WasUp     bool  // this epoch's connection was
	Err       error // why this epoch was given up, nil if it was not
	Cause     Cause // what Err says, as far as that matters
	Codecs    []string

	// Of the connection of this epoch, if there is one.

	Opened  time.Duration // since it was made, 0: there is none
	Moved   time.Duration // since ICE went into its state
	Path    string        // that state, as webrtc-pc section 5.6.4 spells it
	Secured bool          // DTLS was up
	Remote  bool          // the peer's description was applied
	Open    bool          // our offer is unanswered
	Acked   bool          // the peer has acknowledged something
	Pending bool          // something is unacknowledged
	Ours    Kinds
	Theirs  Kinds
	TURN    bool     // TURN servers were configured
	Refusal *Refusal // by one of them, since the connection was made
}

// Cause is what an error that ended an epoch says of the connection.
type Cause int

// The causes that a verdict names.
const (
	OtherCause  Cause = iota // nothing that the rest of the evidence does not show
	BrokenRules              // the peer sent what we cannot accept
	FailedDTLS               // DTLS gave up
)

// Refusal is what a TURN server answered instead of giving a relay.
type Refusal struct {
	Server string // host and port
	Err    error
}

// Kinds says of which types there is a candidate.
type Kinds map[string]bool

// Relayed reports whether there is a candidate at a relay.
func (k Kinds) Relayed() bool { return k["relay"] }

func (k Kinds) reflexive() bool { return k["srflx"] }

// String lists the types, from the nearest to the farthest.
func (k Kinds) String() string {
	var parts []string
	for _, kind := range []string{"host", "srflx", "relay"} {
		if k[kind] {
			parts = append(parts, kind)
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// TypeOf returns the type in a candidate attribute (RFC 8839 section 5.1), "" if it has none.
func TypeOf(candidate string) string {
	fields := strings.Fields(candidate)
	if i := slices.Index(fields, "typ"); i >= 0 && i+1 < len(fields) {
		return fields[i+1]
	}
	return ""
}
