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

// description is what the link needs to know about an SDP before pion gets it.
type description struct {
	size     int             // bytes
	ufrag    string          // of ICE, RFC 8839 section 5.4
	sections []string        // mids in order
	rejected map[string]bool // mids whose port is 0
	stereo   map[string]bool // mids of sections that say they carry stereo

	candidates diagnose.Kinds // and those trickled later
}

// first returns the mid and the index of the first section that is not rejected. A rejected
// section has no transport, and a browser takes no candidates for it.
func (d *description) first() (mid string, index uint16) {
	for i, mid := range d.sections {
		if !d.rejected[mid] {
			return mid, uint16(i)
		}
	}
	return "", 0
}

// withMids returns text with the missing mids added, by the index of their sections. pion
// writes none for a section that it rejects, in our descriptions and perhaps in a peer's,
// and refuses descriptions in which one is missing.
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

// withStereo declares in each section of text whether its Opus is stereo (RFC 7587 section
// 6.1), because pion writes the same in all of them. A section in which we send stereo has
// sprop-stereo=1 and stereo=1; one in which the peer does has stereo=1. Without that, a
// browser sends and plays mono.
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
		written := false
		for i, a := range m.Attributes {
			if format, line, _ := strings.Cut(a.Value, " "); a.Key == "fmtp" && format == opus {
				m.Attributes[i].Value = format + " " + stereoLine(line, sends[mid], receives[mid])
				written = true
			}
		}
		if line := stereoLine("", sends[mid], receives[mid]); opus != "" && !written && line != "" {
			m.WithValueAttribute("fmtp", opus+" "+line)
		}
	}
	b, err := s.Marshal()
	return string(b), err
}

// stereoLine returns an fmtp line of Opus with these parameters for stereo and no others.
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

// inspect parses a remote description. It refuses one on which pion would fail halfway,
// because a SetRemoteDescription that fails leaves the state changed.
func inspect(text string) (d description, err error) {
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
			return d, fmt.Errorf("%w: mid %q missing or twice", fault.Description, mid)
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
