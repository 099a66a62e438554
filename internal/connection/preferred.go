package connection

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"noom/internal/packet"
)

// prefer puts the formats of preferred codecs first in each section in which we may receive, and reports whether
// that changed s. A sender takes the first that it has (RFC 9429 section 4.2.6). pion knows nothing of it: what we send
// in is decided by the source alone.
func prefer(s *sdp.SessionDescription, preferred []string) (changed bool) {
	if len(preferred) == 0 {
		return false
	}
	for _, m := range s.MediaDescriptions {
		_, sends := m.Attribute("sendonly")
		if _, inactive := m.Attribute("inactive"); sends || inactive {
			continue
		}
		ranks := ranksIn(m, preferred)
		before := slices.Clone(m.MediaName.Formats)
		slices.SortStableFunc(m.MediaName.Formats, func(a, b string) int { return cmp.Compare(ranks[a], ranks[b]) })
		changed = changed || !slices.Equal(before, m.MediaName.Formats)
	}
	return changed
}

// ranksIn returns the ranks of a section's formats, the lowest that of the most preferred. A retransmission has that
// of the format that it repeats.
func ranksIn(m *sdp.MediaDescription, preferred []string) map[string]int {
	ranks := make(map[string]int) // 0: not preferred
	repeats := make(map[string]string)
	for _, a := range m.Attributes {
		format, rest, _ := strings.Cut(a.Value, " ")
		switch a.Key {
		case "rtpmap":
			name, _, _ := strings.Cut(rest, "/")
			mime := m.MediaName.Media + "/" + name
			if i := slices.IndexFunc(preferred, func(p string) bool { return strings.EqualFold(p, mime) }); i >= 0 {
				ranks[format] = i - len(preferred)
			}
		case "fmtp":
			if of := packet.FormatParameter(rest, "apt", ""); of != "" {
				repeats[format] = of
			}
		}
	}
	for format, of := range repeats {
		ranks[format] = ranks[of]
	}
	return ranks
}
