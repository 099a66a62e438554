package connection

import (
	"fmt"
	"strings"

	"github.com/pion/sdp/v3"

	"noom/internal/diagnose"
	"noom/internal/fault"
	"noom/internal/packet"
	"noom/signal"
)

// description is what the connection needs to know of an SDP before pion sees it.
type description struct {
	size     int             // bytes
	ufrag    string          // of ICE, RFC 8839 section 5.4
	sections []string        // mids in order
	rejected map[string]bool // mids whose port is 0
	stereo   map[string]bool // mids of sections that are said to carry stereo

	candidates diagnose.Kinds // of the description, and those trickled later
}

// first returns the mid and index of the first section that is not rejected. A rejected section has no transport, and a
// browser takes no candidates for it.
func (d *description) first() (mid string, index uint16) {
	for i, mid := range d.sections {
		if !d.rejected[mid] {
			return mid, uint16(i)
		}
	}
	return "", 0
}

// withMids adds the mids that are missing in text, taken from mids by the place of their sections. pion writes no mid
// where it rejects a section, in our descriptions and perhaps in a peer's, and refuses a description without one.
func withMids(text string, mids []string) (string, error) {
	var s sdp.SessionDescription
	if err := s.UnmarshalString(text); err != nil {
		return "", fmt.Errorf("%w: %w", fault.Description, err)
	}
	complete := true
	for i, m := range s.MediaDescriptions {
		if _, ok := m.Attribute("mid"); !ok && i < len(mids) {
			m.WithValueAttribute("mid", mids[i])
			complete = false
		}
	}
	if complete {
		return text, nil
	}
	b, err := s.Marshal()
	return string(b), err
}

// withStereo says in each section of text whether its Opus is stereo (RFC 7587 section 6.1); pion says the same in all
// of them. A section has sprop-stereo=1 if we send stereo in it, and stereo=1 if we do or the peer has said that it
// does: without that, a browser sends, and plays, mono.
func withStereo(text string, sends, receives map[string]bool) (string, error) {
	if !strings.Contains(text, "m=audio") {
		return text, nil
	}
	var s sdp.SessionDescription
	if err := s.UnmarshalString(text); err != nil {
		return "", fmt.Errorf("%w: %w", fault.Description, err)
	}
	for _, m := range s.MediaDescriptions {
		mid, _ := m.Attribute("mid")
		opus := ""
		for _, a := range m.Attributes {
			if format, encoding, _ := strings.Cut(a.Value, " "); a.Key == "rtpmap" && strings.HasPrefix(strings.ToLower(encoding), "opus/") {
				opus = format
			}
		}
		found := false
		for i, a := range m.Attributes {
			if format, line, _ := strings.Cut(a.Value, " "); a.Key == "fmtp" && format == opus {
				m.Attributes[i].Value = format + " " + stereoLine(line, sends[mid], receives[mid])
				found = true
			}
		}
		if line := stereoLine("", sends[mid], receives[mid]); opus != "" && !found && line != "" {
			m.WithValueAttribute("fmtp", opus+" "+line)
		}
	}
	b, err := s.Marshal()
	return string(b), err
}

// stereoLine returns an fmtp line of Opus that says about stereo only this.
func stereoLine(line string, sends, receives bool) string {
	var parameters []string
	for parameter := range strings.SplitSeq(line, ";") {
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(parameter)), "=")
		if name != "" && name != "stereo" && name != "sprop-stereo" {
			parameters = append(parameters, strings.TrimSpace(parameter))
		}
	}
	if sends {
		parameters = append(parameters, "sprop-stereo=1")
	}
	if sends || receives {
		parameters = append(parameters, "stereo=1")
	}
	return strings.Join(parameters, ";")
}

// inspectDescription parses a description and refuses what pion would fail on half-way, because its
// SetRemoteDescription leaves a changed state when it returns an error.
func inspectDescription(text string) (d description, err error) {
	var s sdp.SessionDescription
	if err := s.UnmarshalString(text); err != nil {
		return d, fmt.Errorf("%w: %w", fault.Description, err)
	}
	n := len(s.MediaDescriptions)
	if n == 0 || n > signal.MaxSections {
		return d, fmt.Errorf("%w: %d media sections, want 1 to %d", fault.Description, n, signal.MaxSections)
	}
	d.size = len(text)
	d.ufrag, _ = s.Attribute("ice-ufrag")
	d.rejected, d.stereo, d.candidates = make(map[string]bool), make(map[string]bool), make(diagnose.Kinds)
	seen := make(map[string]bool, n)
	for _, m := range s.MediaDescriptions {
		mid, ok := m.Attribute("mid")
		if !ok || seen[mid] {
			return d, fmt.Errorf("%w: mid %q missing or duplicate", fault.Description, mid)
		}
		seen[mid] = true
		d.sections = append(d.sections, mid)
		d.rejected[mid] = m.MediaName.Port.Value == 0
		for _, a := range m.Attributes {
			switch a.Key {
			case "candidate":
				d.candidates[diagnose.TypeOf(a.Value)] = true
			case "fmtp":
				_, parameters, _ := strings.Cut(a.Value, " ")
				if m.MediaName.Media == "audio" && packet.FormatParameter(parameters, "sprop-stereo", "0") == "1" {
					d.stereo[mid] = true
				}
			}
		}
		if u, ok := m.Attribute("ice-ufrag"); ok && d.ufrag == "" {
			d.ufrag = u
		}
	}
	if d.ufrag == "" {
		return d, fmt.Errorf("%w: no ice-ufrag", fault.Description)
	}
	return d, nil
}
