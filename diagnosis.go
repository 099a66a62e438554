package noom

import (
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"
)

// Verdict is why a peer is connected or is not.
type Verdict string

// The verdicts of a [Diagnosis], from the hub to the media.
const (
	// VerdictConnected: data and media can move; Path says how.
	VerdictConnected Verdict = "connected"
	// VerdictConnecting: under way, and no step has taken suspiciously long yet.
	VerdictConnecting Verdict = "connecting"
	// VerdictHubUnreachable: there is no connection to the hub, and none to the peer over which a new one could be
	// negotiated.
	VerdictHubUnreachable Verdict = "hub unreachable"
	// VerdictUndelivered: the peer does not acknowledge what was sent through the hub.
	VerdictUndelivered Verdict = "frame undelivered"
	// VerdictNoAnswer: the peer is there, but its offer or answer does not come.
	VerdictNoAnswer Verdict = "no answer"
	// VerdictNoPair: no path between any two candidates works, relays included
	// if there were any.
	VerdictNoPair Verdict = "no candidate pair"
	// VerdictRelayNeeded: both ends have public addresses by STUN, no path
	// between them works, and no TURN server was given.
	VerdictRelayNeeded Verdict = "relay needed"
	// VerdictTURNRefused: a relay is needed, and the TURN server refuses us;
	// Err is a *stun.TurnError.
	VerdictTURNRefused Verdict = "TURN refused"
	// VerdictTURNUnreachable: a relay is needed, and no TURN server answers.
	VerdictTURNUnreachable Verdict = "TURN unreachable"
	// VerdictDTLS: there is a path, but the handshake of DTLS, or of SCTP over it, does not complete.
	VerdictDTLS Verdict = "DTLS failed"
	// VerdictCodec: connected, but the peer does not accept some of the codecs that we send; Codecs names them.
	VerdictCodec Verdict = "codec not shared"
	// VerdictProtocol: one end sent what the other cannot accept; see Err.
	VerdictProtocol Verdict = "protocol broken"
)

// Diagnosis says why a peer is connected or is not; see [Peer].Diagnose.
type Diagnosis struct {
	Verdict  Verdict
	Words    string   // one sentence: what was seen, and what to do; without addresses of members
	Err      error    // the error that caused it, nil if there is none
	Attempts int      // connections given up since the last one that worked
	Path     *Path    // how the two are connected, nil if they are not
	Codecs   []string // MIME types that the peer does not accept, such as video/AV1
}

// String returns the verdict and the words.
func (d Diagnosis) String() string { return fmt.Sprintf("%s: %s", d.Verdict, d.Words) }

// Path is the pair of candidates that a connection uses (RFC 8445).
type Path struct {
	Local, Remote webrtc.ICECandidate
	RTT           time.Duration // of the latest check; 0: not known yet
}

// Relayed reports whether a TURN server is on the path.
func (p Path) Relayed() bool {
	return p.Local.Typ == webrtc.ICECandidateTypeRelay || p.Remote.Typ == webrtc.ICECandidateTypeRelay
}

// String returns the types of the two candidates, such as "host to srflx over udp".
func (p Path) String() string {
	return fmt.Sprintf("%s to %s over %s", p.Local.Typ, p.Remote.Typ, p.Local.Protocol)
}

// pathOf returns the path that pc uses, nil if it has none.
func pathOf(pc *webrtc.PeerConnection) *Path {
	if pc == nil {
		return nil
	}
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
