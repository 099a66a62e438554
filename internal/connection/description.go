package connection

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"noom/internal/diagnose"
	"noom/internal/fault"
	"noom/internal/inbound"
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

	encodings map[string][]string // by mid, which of several encodings are received, from the smallest

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

// mostSimulcast is in how many sections of a description several encodings are received. So all that a peer may send,
// each with its retransmissions, stays far below conduct.MaxSources.
const mostSimulcast = 16

// takeEncodings says in each section in which the peer offers several encodings which of them we receive (RFC 8853),
// and reports whether that changed s: pion says that we receive all. Where a browser chooses the sizes, the last one is
// the largest. So we receive the last ones, up to inbound.MaxEncodings, and in sections beyond mostSimulcast the last
// alone.
func takeEncodings(s *sdp.SessionDescription) (changed bool) {
	sections := 0
	for _, m := range s.MediaDescriptions {
		i := slices.IndexFunc(m.Attributes, func(a sdp.Attribute) bool {
			return a.Key == "simulcast" && strings.HasPrefix(a.Value, "recv ")
		})
		if i < 0 {
			continue
		}
		taken := encodingsIn(m.Attributes[i].Value)
		most := inbound.MaxEncodings
		if sections++; sections > mostSimulcast {
			most = 1
		}
		if len(taken) == 0 {
			continue
		}
		taken = taken[max(0, len(taken)-most):]
		before := len(m.Attributes)
		m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool {
			id, direction, _ := strings.Cut(a.Value, " ")
			return a.Key == "rid" && !slices.Contains(taken, id) && strings.HasPrefix(direction, "recv")
		})
		changed = changed || len(m.Attributes) != before
		for i, a := range m.Attributes {
			if value := "recv " + strings.Join(taken, ";"); a.Key == "simulcast" && a.Value != value && strings.HasPrefix(a.Value, "recv ") {
				m.Attributes[i].Value, changed = value, true
			}
		}
	}
	return changed
}

// encodingsIn returns the encodings in the value of an attribute, a=simulcast, that says what we receive.
func encodingsIn(value string) []string {
	list, ours := strings.CutPrefix(value, "recv ")
	if !ours {
		return nil
	}
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(" ;,~", r) })
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
// when it returns an error. What it returns has memory of its own, because each string of a parsed description keeps up to
// 4 KB of its text. size is the description's, in bytes.
func inspectDescription(s *sdp.SessionDescription, size int) (d description, err error) {
	n := len(s.MediaDescriptions)
	if n == 0 || n > signal.MaxSections {
		return d, fmt.Errorf("%w: %d media sections, want 1 to %d", fault.Description, n, signal.MaxSections)
	}
	d.size = size
	ufrag, _ := s.Attribute("ice-ufrag")
	d.rejected, d.stereo, d.candidates = make(map[string]bool), make(map[string]bool), make(diagnose.Kinds)
	d.encodings = make(map[string][]string)
	seen := make(map[string]bool, n)
	for _, m := range s.MediaDescriptions {
		mid, ok := m.Attribute("mid")
		if !ok || seen[mid] {
			return d, fmt.Errorf("%w: mid %q missing or duplicate", fault.Description, mid)
		}
		mid = strings.Clone(mid)
		seen[mid] = true
		d.sections = append(d.sections, mid)
		d.rejected[mid] = m.MediaName.Port.Value == 0
		for _, a := range m.Attributes {
			switch a.Key {
			case "candidate":
				d.candidates[diagnose.TypeOf(a.Value)] = true
			case "simulcast":
				if taken := encodingsIn(strings.Clone(a.Value)); len(taken) > 0 {
					d.encodings[mid] = taken
				}
			case "fmtp":
				_, parameters, _ := strings.Cut(a.Value, " ")
				if m.MediaName.Media == "audio" && packet.FormatParameter(parameters, "sprop-stereo", "0") == "1" {
					d.stereo[mid] = true
				}
			}
		}
		if u, ok := m.Attribute("ice-ufrag"); ok && ufrag == "" {
			ufrag = u
		}
	}
	if d.ufrag = strings.Clone(ufrag); ufrag == "" {
		return d, fmt.Errorf("%w: no ice-ufrag", fault.Description)
	}
	return d, nil
}
