package noom

import (
	"errors"
	"fmt"

	"github.com/pion/sdp/v3"

	"noom/signal"
)

// description is what the link needs to know of an SDP before pion sees it.
type description struct {
	ufrag    string          // of ICE, RFC 8839 section 5.4
	sections []string        // mids in order
	rejected map[string]bool // mids whose port is 0

	candidates candidateKinds // and those trickled later
}

var errSDP = errors.New("description refused")

// inspect parses a remote description and refuses what pion would choke on
// half-way, for its SetRemoteDescription leaves a changed state behind an error.
func inspect(text string) (d description, err error) {
	defer func() {
		// A parser that panics costs this link alone.
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errSDP, r)
		}
	}()
	var s sdp.SessionDescription
	if err := s.UnmarshalString(text); err != nil {
		return d, fmt.Errorf("%w: %w", errSDP, err)
	}
	n := len(s.MediaDescriptions)
	if n == 0 || n > signal.MaxSections {
		return d, fmt.Errorf("%w: %d media sections, want 1 to %d", errSDP, n, signal.MaxSections)
	}
	d.ufrag, _ = s.Attribute("ice-ufrag")
	d.rejected, d.candidates = make(map[string]bool), make(candidateKinds)
	seen := make(map[string]bool, n)
	for _, m := range s.MediaDescriptions {
		mid, ok := m.Attribute("mid")
		if !ok || seen[mid] {
			return d, fmt.Errorf("%w: mid %q missing or twice", errSDP, mid)
		}
		seen[mid] = true
		d.sections = append(d.sections, mid)
		d.rejected[mid] = m.MediaName.Port.Value == 0
		for _, a := range m.Attributes {
			if a.Key == "candidate" {
				d.candidates[typeOf(a.Value)] = true
			}
		}
		if u, ok := m.Attribute("ice-ufrag"); ok && d.ufrag == "" {
			d.ufrag = u
		}
	}
	if d.ufrag == "" {
		return d, fmt.Errorf("%w: no ice-ufrag", errSDP)
	}
	return d, nil
}
