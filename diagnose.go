package noom

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/mailbox"
)

// This file is the part of a link that says why it is not connected. What the
// loop knows goes into evidence, a plain value, and judge, a pure function,
// makes a Diagnosis of it. pion is asked for nothing but the path in use, and
// by the caller's side of things, for it may be busy.

// suspicious is how long each step of connecting may take before Diagnose
// names it: frames are sent again after 1 s and after 3.
const suspicious = 4 * time.Second

// evidence is what a link knows about the way to being connected.
type evidence struct {
	online   bool // at a hub
	lost     bool // the hub has lost the member
	attempts int
	err      error // why this epoch was given up, nil if it was not
	codecs   []string

	// Of the current epoch.
	connected bool // channels are open, the path lives; by an older connection perhaps
	wasUp     bool
	opened    time.Duration // since the connection was made, 0: there is none
	moved     time.Duration // since ICE went into its state
	path      webrtc.ICEConnectionState
	secured   bool // DTLS was up
	remote    bool // the peer's description was applied
	open      bool // our offer is unanswered
	acked     bool // the peer has acknowledged something
	pending   bool // something is unacknowledged
	ours      candidateKinds
	theirs    candidateKinds
	turn      bool         // TURN servers were given
	refusal   *turnRefusal // by one of them, in this epoch
}

// candidateKinds says of which types there is a candidate.
type candidateKinds map[string]bool

func (k candidateKinds) relayed() bool   { return k["relay"] }
func (k candidateKinds) reflexive() bool { return k["srflx"] }

func (k candidateKinds) String() string {
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

// typeOf returns the type in a candidate attribute (RFC 8839 section 5.1).
func typeOf(candidate string) string {
	fields := strings.Fields(candidate)
	if i := slices.Index(fields, "typ"); i >= 0 && i+1 < len(fields) {
		return fields[i+1]
	}
	return ""
}

// Diagnose is explained at [Peer].
func (l *link) Diagnose(ctx context.Context) (Diagnosis, error) {
	if err := ctx.Err(); err != nil {
		return Diagnosis{}, err
	}
	type answer struct {
		d  Diagnosis
		pc *webrtc.PeerConnection
	}
	a, err := mailbox.Ask(ctx, l.mail, func() answer {
		a := answer{d: l.diagnosis()}
		if c := l.live(); c != nil {
			a.pc = c.pc
		}
		return a
	})
	switch {
	case l.State() == PeerClosed:
		return Diagnosis{}, ErrClosed
	case err != nil:
		return Diagnosis{}, err
	}
	if a.d.Verdict != VerdictConnected && a.d.Verdict != VerdictCodec {
		return a.d, nil
	}
	path := make(chan *Path, 1)
	go func() { path <- pathOf(a.pc) }()
	select {
	case a.d.Path = <-path:
	case <-ctx.Done():
		return Diagnosis{}, ctx.Err()
	}
	if a.d.Path != nil {
		a.d.Words += " (" + a.d.Path.String() + ")"
	}
	return a.d, nil
}

// pathOf returns the path that pc uses, nil if it has none any more.
func pathOf(pc *webrtc.PeerConnection) *Path {
	ice := pc.SCTP().Transport().ICETransport()
	pair, err := ice.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return nil
	}
	p := &Path{Local: *pair.Local, Remote: *pair.Remote}
	if stats, ok := ice.GetSelectedCandidatePairStats(); ok {
		p.RTT = time.Duration(stats.CurrentRoundTripTime * float64(time.Second))
	}
	return p
}

// diagnosis is why the link is not connected now. While an attempt shows
// nothing yet, what ended the one before is the answer.
func (l *link) diagnosis() Diagnosis {
	d := l.evidence(l.failedBy).judge()
	if d.Verdict == VerdictConnecting && l.failure != nil {
		d = *l.failure
	}
	d.Attempts = l.failures
	return d
}

// note keeps why the connection has failed, and logs it: once, and again when
// it turns out to be something else.
func (l *link) note(err error) {
	e := l.evidence(err)
	e.connected = false // as it was a moment ago, perhaps
	d := e.judge()
	d.Attempts = l.failures
	if l.failure == nil || l.failure.Verdict != d.Verdict {
		l.log.Warn("peer not connected", "verdict", string(d.Verdict), "words", d.Words, "error", err)
	}
	l.failure = &d
}

// evidence collects what is known; err is why the epoch is given up, if it is.
func (l *link) evidence(err error) evidence {
	e := evidence{
		online: l.room.online(), lost: l.lost, attempts: l.failures, err: err,
		connected: l.State() == PeerConnected, wasUp: l.wasUp,
		path: webrtc.ICEConnectionStateNew,
	}
	c := l.conn
	if c == nil {
		return e
	}
	e.opened, e.moved = time.Since(c.since), time.Since(c.pathSince)
	e.path, e.secured, e.turn = c.path, c.secured, c.servers.turn()
	e.remote, e.open = c.remote.ufrag != "", l.turn.State().Open
	e.acked, e.pending = l.ex.Acked() > 0, l.ex.Pending()
	e.ours, e.theirs = c.local.candidates, c.remote.candidates
	if r := l.room.refusal.Load(); r != nil && !r.at.Before(c.since) {
		e.refusal = r
	}
	for _, s := range c.sections {
		if s.refused && !slices.Contains(e.codecs, s.leg.codec.MimeType) {
			e.codecs = append(e.codecs, s.leg.codec.MimeType)
		}
	}
	return e
}

// judge makes of it the first thing that is wrong, in the order in which a
// connection comes up.
func (e evidence) judge() Diagnosis {
	pathUp := e.path == webrtc.ICEConnectionStateConnected || e.path == webrtc.ICEConnectionStateCompleted
	say := func(v Verdict, words string) Diagnosis {
		return Diagnosis{Verdict: v, Words: words, Err: e.err, Codecs: e.codecs}
	}
	late := func(since time.Duration) bool { return e.err != nil || since > suspicious }
	switch {
	case e.connected && len(e.codecs) > 0:
		return say(VerdictCodec, fmt.Sprintf("connected, but the peer cannot decode %s; publish VP8, H264 or Opus instead",
			strings.Join(e.codecs, ", ")))
	case e.connected:
		return say(VerdictConnected, "data and media can move")
	case errors.Is(e.err, ErrDescription), errors.Is(e.err, errRules), errors.Is(e.err, errCredit):
		return say(VerdictProtocol, fmt.Sprintf("%v; run the same version of noom at both ends", e.err))
	case !e.online && (e.wasUp || !pathUp) && !errors.Is(e.err, errDTLS):
		return say(VerdictHubUnreachable, "there is no connection to the hub; noom redials, so check the network and that the hub runs")
	case pathUp && e.wasUp:
		return say(VerdictConnecting, "the peer has closed the connection and is about to begin the next")
	case errors.Is(e.err, errDTLS), pathUp && !e.secured && late(e.moved):
		return say(VerdictDTLS, "ICE has found a path, but the DTLS handshake does not end; something on the path drops or changes its packets")
	case pathUp && late(e.moved):
		return say(VerdictDTLS, "DTLS is up, but SCTP over it is not; something on the path may drop large packets")
	case pathUp:
		return say(VerdictConnecting, "a path was found, DTLS is under way")
	}
	if d, ok := e.signaling(late, say); ok {
		return d
	}
	return e.pairs(late, say)
}

// signaling judges whether descriptions go back and forth.
func (e evidence) signaling(late func(time.Duration) bool, say func(Verdict, string) Diagnosis) (Diagnosis, bool) {
	switch {
	case e.lost:
		return say(VerdictUndelivered, "the hub has lost the peer, and nothing reaches it until it is back"), true
	case e.opened == 0 && e.err == nil:
		return say(VerdictConnecting, "the offer is the peer's to make"), true
	case e.opened == 0:
		return say(VerdictNoAnswer, "it is the peer's to make an offer, and none has come; it may be frozen, or refuse us in its Config.Verify"), true
	case e.remote && !e.open:
		return Diagnosis{}, false
	case !late(e.opened) || e.wasUp && !late(e.moved):
		return say(VerdictConnecting, "descriptions are on their way"), true
	case e.pending && (!e.acked || e.wasUp):
		return say(VerdictUndelivered, "the peer acknowledges nothing that was sent by hub; it may be frozen or cut off from the hub, or refuse us in its Config.Verify"), true
	}
	return say(VerdictNoAnswer, "the peer acknowledges our frames but its description does not come; its connection may be stuck"), true
}

// pairs judges why ICE finds no path.
func (e evidence) pairs(late func(time.Duration) bool, say func(Verdict, string) Diagnosis) Diagnosis {
	seen := fmt.Sprintf("candidates here: %v; at the peer: %v", e.ours, e.theirs)
	switch {
	case e.path != webrtc.ICEConnectionStateFailed && !late(e.moved):
		return say(VerdictConnecting, "a path is being looked for")
	case e.ours.relayed() || e.theirs.relayed():
		return say(VerdictNoPair, "no path works, and none over a relay either; check both ends' networks and the TURN server's reach ("+seen+")")
	case e.turn && e.refusal != nil:
		d := say(VerdictTURNRefused, fmt.Sprintf("no direct path works, and the TURN server %s refuses: %v; check its credentials, and that they have not expired",
			e.refusal.server, e.refusal.err))
		d.Err = e.refusal.err
		return d
	case e.turn:
		return say(VerdictTURNUnreachable, "no direct path works, and no TURN server has answered; check its address and port, and try TURN over TCP ("+seen+")")
	case e.ours.reflexive() && e.theirs.reflexive():
		return say(VerdictRelayNeeded, "no direct path works, as between two strict NATs; give a TURN server, at the hub or in Config.ICEServers ("+seen+")")
	}
	return say(VerdictNoPair, "no path works; check firewalls, and give a STUN and a TURN server if the two are in different networks ("+seen+")")
}
