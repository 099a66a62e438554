package conduct

import (
	"net/netip"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// early decides when a connection uses a pair of candidates before ICE has agreed on one: DTLS then begins a round trip
// earlier. It does so once, with a pair that has carried checks and answers in both directions. It is a pure machine.
//
// The end that is told which pair to use (controlled, RFC 8445 section 6.1.1) takes the nomination that follows as if it
// used no pair yet:
//
//	waiting --- a check on a proven pair: use it ---> used --- a nomination of a proven pair: use that ---> over
//	   +--------------------------- a nomination -------------------------------------------------------------^
//
// The end that nominates uses the pair that it has nominated, without waiting for the answer. It never does before that,
// because pion nominates none while it uses one.
type early struct{ used, over bool }

// comingCheck is a check that has come and has our credentials.
type comingCheck struct {
	nominating bool // we nominate
	nominates  bool // the check does
	proven     bool // the pair has answered a check of ours
	nominated  bool // our latest nomination was for the pair
	relayed    bool // as far as we know: ICE waits whether there is a better pair
}

// uses reports whether to use the pair from now on.
func (e *early) uses(c comingCheck) bool {
	switch {
	case e.over:
		return false
	case c.nominating:
		e.over = c.proven && c.nominated
		return e.over
	case c.nominates:
		e.over = true
		return e.used && c.proven
	case e.used || !c.proven || c.relayed:
		return false
	}
	e.used = true
	return true
}

// Uses reports whether a connection is to use a pair of candidates from now on. ICE's agent, alone, calls it for each check
// on the pair that has our credentials.
func (p *Pacer) Uses(check *stun.Message, pair *ice.CandidatePair) bool {
	if pair == nil {
		return false
	}
	return p.early.uses(comingCheck{
		nominating: check.Contains(stun.AttrICEControlled), nominates: check.Contains(stun.AttrUseCandidate),
		proven:    pair.ResponsesReceived() > 0,
		nominated: p.nomination.left(uint16(pair.Local.Port()), addressOf(pair.Remote)),
		relayed:   pair.Local.Type() == ice.CandidateTypeRelay || pair.Remote.Type() == ice.CandidateTypeRelay,
	})
}

// addressOf returns an invalid address if a candidate has only a name.
func addressOf(c ice.Candidate) netip.AddrPort {
	address, _ := netip.ParseAddr(c.Address())
	return netip.AddrPortFrom(address.Unmap(), uint16(c.Port()))
}
