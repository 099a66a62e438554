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

// parseDescription parses a description. That happens once: the functions below inspect the result and change it.
func parseDescription(text string) (*sdp.SessionDescription, error) {
	s := &sdp.SessionDescription{}
	if err := s.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("%w: %w", fault.Description, err)
	}
	return s, nil
}

// marshalDescription is the inverse of parseDescription.
func marshalDescription(s *sdp.SessionDescription) (string, error) {
	text, err := s.Marshal()
	return string(text), err
}

// addMids adds the mids that are missing in s, taken from mids by the place of their sections, and reports whether any
// were. pion writes no mid where it rejects a section, in our descriptions and perhaps in a peer's, and refuses a
// description without one.
func addMids(s *sdp.SessionDescription, mids []string) (changed bool) {
	for i, m := range s.MediaDescriptions {
		if _, ok := m.Attribute("mid"); !ok && i < len(mids) {
			m.WithValueAttribute("mid", mids[i])
			changed = true
		}
	}
	return changed
}

// setStereo says in each section whether its Opus is stereo (RFC 7587 section 6.1), because pion says the same in all
// of them, and reports whether that changed s. A section gets sprop-stereo=1 if we send stereo in it, and stereo=1 if
// we do or the peer has said that it does: without that, a browser sends, and plays, mono.
func setStereo(s *sdp.SessionDescription, sends, receives map[string]bool) (changed bool) {
	for _, m := range s.MediaDescriptions {
		mid, _ := m.Attribute("mid")
		opus := ""
		for _, a := range m.Attributes {
			if format, encoding, _ := strings.Cut(a.Value, " "); a.Key == "rtpmap" && strings.HasPrefix(strings.ToLower(encoding), "opus/") {
				opus = format
			}
		}
		if opus == "" {
			continue
		}
		found := false
		for i, a := range m.Attributes {
			if format, line, _ := strings.Cut(a.Value, " "); a.Key == "fmtp" && format == opus {
				m.Attributes[i].Value = format + " " + stereoLine(line, sends[mid], receives[mid])
				found, changed = true, changed || m.Attributes[i].Value != a.Value
			}
		}
		if line := stereoLine("", sends[mid], receives[mid]); !found && line != "" {
			m.WithValueAttribute("fmtp", opus+" "+line)
			changed = true
		}
	}
	return changed
}

// stereoLine returns the fmtp parameters in line, with those about stereo replaced.
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

// inspectDescription refuses what pion would fail on half-way, because its SetRemoteDescription leaves a changed state
// when it returns an error. size is the description's, in bytes.
func inspectDescription(s *sdp.SessionDescription, size int) (d description, err error) {
	n := len(s.MediaDescriptions)
	if n == 0 || n > signal.MaxSections {
		return d, fmt.Errorf("%w: %d media sections, want 1 to %d", fault.Description, n, signal.MaxSections)
	}
	d.size = size
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
