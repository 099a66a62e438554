package connection

import (
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/diagnose"
	"noom/internal/fault"
	"noom/internal/iceservers"
	"noom/signal"
)

const (
	batchRetry = 500 * time.Millisecond // after which candidates that found the window full are sent
	batchWait  = 5 * time.Millisecond   // candidates gathered within this time share a frame
)

// This file trickles candidates (RFC 8838), in both directions.

// regather is called right before ICE restarts, at either end. It makes ICE use the newest servers.
func (c *Conn) regather() {
	c.pending = nil // they belong to the generation that ends now
	c.useServers(c.owner.Servers())
	c.owner.Restarting()
}

// useServers makes the next gathering use these servers.
func (c *Conn) useServers(newest *iceservers.Set) {
	if newest == c.Servers {
		return
	}
	config := c.PC.GetConfiguration()
	config.ICEServers = newest.List
	if err := c.PC.SetConfiguration(config); err != nil {
		c.owner.Trace("ICE servers not applied", "error", err)
		return
	}
	c.Servers = newest
}

// gathered takes a local candidate, or nil after the last one.
func (c *Conn) gathered(candidate *webrtc.ICECandidate) {
	var out signal.Candidate
	if candidate != nil {
		out.Candidate = candidate.ToJSON().Candidate
		if known := c.local.candidates; known != nil { // if it is nil, describe finds the candidate
			known[candidate.Typ.String()] = true
		}
	}
	out.SDPMid, out.SDPMLineIndex = c.local.first() // all sections are bundled
	c.pending = append(c.pending, out)
	if !c.batch.Pending() {
		c.batch.Set(c.mail, batchWait, c.sendCandidates)
	}
}

func (c *Conn) sendCandidates() {
	if c.stage != stageNegotiating || c.local.ufrag == "" {
		return // describe sends them, after the description
	}
	for len(c.pending) > 0 && c.owner.Window() {
		n := min(len(c.pending), signal.MaxCandidates)
		batch := signal.Candidates{Ufrag: c.local.ufrag, Candidates: c.pending[:n]}
		c.pending = c.pending[n:]
		body, err := signal.EncodeBody(&batch)
		if err != nil {
			c.owner.Trace("candidates dropped", "error", err)
			continue
		}
		c.owner.Send(signal.TypeCandidates, body, false)
	}
	if len(c.pending) > 0 {
		c.batch.Set(c.mail, batchRetry, c.sendCandidates)
	}
}

func (c *Conn) addCandidates(body []byte) error {
	var b signal.Candidates
	if err := signal.DecodeBody(body, &b); err != nil {
		return fmt.Errorf("%w: %w", fault.Rules, err)
	}
	if b.Ufrag != c.remote.ufrag {
		c.owner.Trace("candidates dropped: of another generation")
		return nil
	}
	for _, candidate := range b.Candidates {
		if c.generation++; c.generation > signal.MaxGeneration {
			c.owner.Trace("candidates dropped: too many")
			return nil
		}
		if candidate.Candidate == "" {
			continue // pion has no use for the end of candidates
		}
		if err := c.addCandidate(candidate); err != nil {
			c.owner.Trace("candidate dropped", "error", err)
		}
	}
	return nil
}

func (c *Conn) addCandidate(candidate signal.Candidate) error {
	if err := c.takeCandidate(candidate.Candidate); err != nil {
		return err
	}
	if err := c.PC.AddICECandidate(webrtc.ICECandidateInit{
		Candidate: candidate.Candidate, SDPMid: &candidate.SDPMid, SDPMLineIndex: &candidate.SDPMLineIndex,
	}); err != nil {
		return err
	}
	c.remote.candidates[diagnose.TypeOf(candidate.Candidate)] = true
	return nil
}

// takeCandidate checks a candidate of the peer.
func (c *Conn) takeCandidate(text string) error {
	return c.candidates.Take(text, c.own, c.owner.Lookup)
}

// takeCandidates returns a description without the candidates that takeCandidate refuses.
func (c *Conn) takeCandidates(text string) (string, error) {
	text, left, err := conduct.FilterCandidates(text, c.takeCandidate)
	if left > 0 {
		c.owner.Trace("candidates of a description dropped", "count", left)
	}
	return text, err
}
