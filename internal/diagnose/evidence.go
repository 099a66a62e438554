package diagnose

import (
	"slices"
	"strings"
	"time"
)

// Evidence is what a link knows about the state of connecting to its peer.
type Evidence struct {
	Online    bool     // we are at a hub
	Lost      bool     // the hub has lost the member
	Connected bool     // the channels are open and the path works, perhaps on an old connection
	WasUp     bool     // this epoch's connection was up
	Err       error    // why this epoch was given up; nil if it was not
	Cause     Cause    // the kind of Err
	Codecs    []string // that the peer has refused

	// About the connection of this epoch, if there is one.

	Opened  time.Duration // since it was made; 0: there is none
	Moved   time.Duration // since ICE entered its current state
	Path    string        // that state, as spelled in webrtc-pc section 5.6.4
	Secured bool          // DTLS was up
	Remote  bool          // the peer's description was applied
	Open    bool          // our offer is unanswered
	Acked   bool          // the peer has acknowledged something
	Pending bool          // something is unacknowledged
	Ours    Kinds         // of our candidates
	Theirs  Kinds         // of the peer's candidates
	TURN    bool          // TURN servers were configured
	Refusal *Refusal      // from one of them, since the connection was made
}

// Cause is what an error that ended an epoch reveals about the connection.
type Cause int

// The causes that a verdict names.
const (
	OtherCause  Cause = iota // nothing beyond the rest of the evidence
	BrokenRules              // the peer sent what we cannot accept
	FailedDTLS               // DTLS gave up
)

// Refusal is the error with which a TURN server answered instead of allocating a relay.
type Refusal struct {
	Server string // host and port
	Err    error
}

// Kinds says which types of candidates there are.
type Kinds map[string]bool

// Relayed reports whether there is a relayed candidate.
func (k Kinds) Relayed() bool { return k["relay"] }

func (k Kinds) reflexive() bool { return k["srflx"] }

// String lists the types, from host to relay.
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

// TypeOf returns the type in a candidate attribute (RFC 8839 section 5.1), or "" if it has none.
func TypeOf(candidate string) string {
	fields := strings.Fields(candidate)
	if i := slices.Index(fields, "typ"); i >= 0 && i+1 < len(fields) {
		return strings.Clone(fields[i+1]) // which keeps nothing of the description
	}
	return ""
}
