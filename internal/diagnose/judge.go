// Package diagnose says why a peer is or is not connected: a pure function turns what a
// link knows about connecting into one finding. It owns the words of the findings. noom.js
// uses the same words, and testdata/diagnoses.json tests both.
package diagnose

import (
	"fmt"
	"strings"
	"time"
)

// maxStepTime is how long each step of connecting may take before it counts as late. By
// then frames have been sent three times: they are repeated after 1 s and 3 s.
const maxStepTime = 4 * time.Second

// Verdict names a finding; package noom explains each.
type Verdict string

// The verdicts, from the hub to the media.
const (
	Connected       Verdict = "connected"
	Connecting      Verdict = "connecting"
	HubUnreachable  Verdict = "hub unreachable"
	Undelivered     Verdict = "frame undelivered"
	NoAnswer        Verdict = "no answer"
	NoPair          Verdict = "no candidate pair"
	RelayNeeded     Verdict = "relay needed"
	TURNRefused     Verdict = "TURN refused"
	TURNUnreachable Verdict = "TURN unreachable"
	DTLS            Verdict = "DTLS failed"
	Codec           Verdict = "codec not shared"
	Protocol        Verdict = "protocol broken"
)

// Finding is what is wrong, or that nothing is.
type Finding struct {
	Verdict Verdict
	Words   string   // one sentence: what was observed, and what to do
	Err     error    // the cause, if it was an error
	Codecs  []string // that the peer has refused
}

// Judge returns the first thing that is wrong, in the order of the steps of connecting.
func (e *Evidence) Judge() Finding {
	up := e.pathUp()
	switch {
	case e.Connected && len(e.Codecs) > 0:
		return e.say(Codec, fmt.Sprintf("connected, but the peer cannot decode %s; publish VP8, H264 or Opus instead",
			strings.Join(e.Codecs, ", ")))
	case e.Connected:
		return e.say(Connected, "data and media can flow")
	case e.Cause == BrokenRules:
		return e.say(Protocol, fmt.Sprintf("%v; run the same version of noom at both ends", e.Err))
	case !e.Online && (e.WasUp || !up) && e.Cause != FailedDTLS:
		return e.say(HubUnreachable, "there is no connection to the hub; noom keeps redialling, so check the network and that the hub is running")
	case up && e.WasUp:
		return e.say(Connecting, "the peer has closed the connection and is about to open the next one")
	case e.Cause == FailedDTLS, up && !e.Secured && e.late(e.Moved):
		return e.say(DTLS, "ICE has found a path, but the DTLS handshake does not complete; something on the path drops or changes its packets")
	case up && e.late(e.Moved):
		return e.say(DTLS, "DTLS is up, but SCTP over it is not; something on the path may drop large packets")
	case up:
		return e.say(Connecting, "a path was found; DTLS is under way")
	}
	if f, ok := e.signaling(); ok {
		return f
	}
	return e.pairs()
}

// signaling judges the exchange of descriptions. It returns false if that is complete.
func (e *Evidence) signaling() (Finding, bool) {
	switch {
	case e.Lost:
		return e.say(Undelivered, "the hub has lost the peer, and nothing reaches it until it is back"), true
	case e.Opened == 0 && e.Err == nil:
		return e.say(Connecting, "waiting for the peer's offer"), true
	case e.Opened == 0:
		return e.say(NoAnswer, "the peer's offer has not arrived; the peer may be frozen, or refuse us in its Config.Verify"), true
	case e.Remote && !e.Open:
		return Finding{}, false
	case !e.late(e.Opened) || e.WasUp && !e.late(e.Moved):
		return e.say(Connecting, "descriptions are being exchanged"), true
	case e.Pending && (!e.Acked || e.WasUp):
		return e.say(Undelivered, "the peer acknowledges nothing that we send through the hub; "+
			"it may be frozen, be cut off from the hub, or refuse us in its Config.Verify"), true
	}
	return e.say(NoAnswer, "the peer acknowledges our frames, but its description has not arrived; its connection may be stuck"), true
}

// pairs judges why ICE has found no path.
func (e *Evidence) pairs() Finding {
	seen := fmt.Sprintf("candidates here: %v; at the peer: %v", e.Ours, e.Theirs)
	switch {
	case e.Path != "failed" && !e.late(e.Moved):
		return e.say(Connecting, "looking for a path")
	case e.Ours.Relayed() || e.Theirs.Relayed():
		return e.say(NoPair, "no path works, not even over a relay; check the networks at both ends, and that both reach the TURN server ("+seen+")")
	case e.TURN && e.Refusal != nil:
		f := e.say(TURNRefused, fmt.Sprintf("no direct path works, and the TURN server %s refuses us: %v; "+
			"check the credentials, and that they have not expired", e.Refusal.Server, e.Refusal.Err))
		f.Err = e.Refusal.Err
		return f
	case e.TURN:
		return e.say(TURNUnreachable, "no direct path works, and no TURN server has answered; "+
			"check their addresses and ports, and try TURN over TCP ("+seen+")")
	case e.Ours.reflexive() && e.Theirs.reflexive():
		return e.say(RelayNeeded, "no direct path works, as is usual between two strict NATs; "+
			"configure a TURN server, at the hub or in Config.ICEServers ("+seen+")")
	}
	return e.say(NoPair, "no path works; check firewalls, and configure a STUN and a TURN server if the two members are in different networks ("+seen+")")
}

func (e *Evidence) say(v Verdict, words string) Finding {
	return Finding{Verdict: v, Words: words, Err: e.Err, Codecs: e.Codecs}
}

// late reports whether a step takes too long, or will not complete because the epoch was
// given up. since is the time since the step began.
func (e *Evidence) late(since time.Duration) bool { return e.Err != nil || since > maxStepTime }

func (e *Evidence) pathUp() bool { return e.Path == "connected" || e.Path == "completed" }
