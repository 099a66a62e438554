package payloads

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"noom/internal/fault"
)

// entry is a format of a section, under the number that it has there.
type entry struct {
	number uint8
	format format
}

// isMedia reports whether a section has payload types.
func isMedia(m *sdp.MediaDescription) bool {
	return m.MediaName.Media == "audio" || m.MediaName.Media == "video"
}

// mediaSection is a section of a description that has payload types.
type mediaSection struct {
	media   *sdp.MediaDescription
	mid     string
	entries []entry
}

// readAll reads the sections of a description of the peer.
func readAll(s *sdp.SessionDescription) (all []mediaSection, changed bool, err error) {
	for _, m := range s.MediaDescriptions {
		if !isMedia(m) {
			continue
		}
		mid, _ := m.Attribute("mid")
		entries, completed, err := read(m)
		if err != nil {
			return nil, false, refuse(mid, err)
		}
		// Numbers keeps the mid, but none of the memory of the description.
		all, changed = append(all, mediaSection{m, strings.Clone(mid), entries}), changed || completed
	}
	return all, changed, nil
}

// read returns the formats of a section. First it completes the section: pion refuses a number without a name, and
// ignores one with the name unknown. The number 0 alone, which stands for no video, is left as it is.
func read(m *sdp.MediaDescription) (entries []entry, changed bool, err error) {
	names, parameters := make(map[uint8]string), make(map[uint8]string)
	for _, a := range m.Attributes {
		n, rest, ok := attributeNumber(a)
		if !ok {
			continue
		}
		switch a.Key {
		case "rtpmap":
			if _, known := names[n]; !known && isEncoding(rest) {
				names[n] = rest
			}
		case "fmtp":
			if _, known := parameters[n]; !known {
				parameters[n] = rest
			}
		}
	}
	seen := make(map[uint8]bool)
	for _, text := range m.MediaName.Formats {
		n, err := parseNumber(text)
		if err != nil {
			return nil, false, err
		}
		if seen[n] {
			return nil, false, fmt.Errorf("payload type %d twice", n)
		}
		seen[n] = true
		name, ok := names[n]
		switch {
		case !ok && n == 0 && m.MediaName.Media == "video":
			continue
		case !ok:
			name, changed = staticName(m.MediaName.Media, n), true
			m.WithValueAttribute("rtpmap", strconv.Itoa(int(n))+" "+name)
		}
		entries = append(entries, entry{n, formatOf(m.MediaName.Media, name, parameters[n])})
	}
	return entries, changed, nil
}

func parseNumber(text string) (uint8, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n >= count {
		return 0, fmt.Errorf("payload type %q, want 0 to %d", text, count-1)
	}
	return uint8(n), nil
}

// staticName returns the name of a number that needs none in a description (RFC 3551 section 6), as far as noom has
// that codec.
func staticName(kind string, n uint8) string {
	if f := registered[n]; n < 35 && f.kind() == kind {
		return strings.TrimPrefix(f.codec, kind+"/")
	}
	return "unknown/90000"
}

// isEncoding reports whether pion can read the encoding of an rtpmap.
func isEncoding(s string) bool {
	name, rest, ok := strings.Cut(s, "/")
	rate, _, _ := strings.Cut(rest, "/")
	_, err := strconv.ParseUint(rate, 10, 32)
	return ok && name != "" && err == nil && !strings.Contains(s, " ")
}

// attributeNumber returns the number that an attribute is about, and what it says of it.
func attributeNumber(a sdp.Attribute) (n uint8, rest string, ok bool) {
	if a.Key != "rtpmap" && a.Key != "fmtp" && a.Key != "rtcp-fb" {
		return 0, "", false
	}
	text, rest, _ := strings.Cut(a.Value, " ")
	n, err := parseNumber(text)
	return n, rest, err == nil
}

// renumber changes the numbers of a section. It drops what is said of numbers that the section does not have.
func renumber(m *sdp.MediaDescription, entries []entry, all map[uint8]uint8) {
	numbers := make(map[uint8]uint8, len(entries))
	for _, e := range entries {
		numbers[e.number] = all[e.number]
	}
	for i, text := range m.MediaName.Formats {
		if n, err := parseNumber(text); err == nil {
			if to, ok := numbers[n]; ok {
				m.MediaName.Formats[i] = strconv.Itoa(int(to))
			}
		}
	}
	kept := m.Attributes[:0]
	for _, a := range m.Attributes {
		if n, rest, ok := attributeNumber(a); ok {
			to, has := numbers[n]
			if !has {
				continue
			}
			a.Value = strconv.Itoa(int(to)) + " " + rest
			if a.Key == "fmtp" {
				a.Value = strconv.Itoa(int(to)) + " " + renumberApt(rest, numbers)
			}
		}
		kept = append(kept, a)
	}
	m.Attributes = kept
}

// renumberApt changes the number that a retransmission says it repeats.
func renumberApt(parameters string, numbers map[uint8]uint8) string {
	all := strings.Split(parameters, ";")
	for i, p := range all {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if n, err := parseNumber(value); err == nil && strings.EqualFold(key, "apt") {
			if to, ok := numbers[n]; ok {
				all[i] = key + "=" + strconv.Itoa(int(to))
			}
		}
	}
	return strings.Join(all, ";")
}

// sources returns the sources that a section declares (RFC 5576 section 4.1).
func sources(m *sdp.MediaDescription) (all []uint32) {
	for _, a := range m.Attributes {
		if a.Key == "ssrc" {
			text, _, _ := strings.Cut(a.Value, " ")
			if id, err := strconv.ParseUint(text, 10, 32); err == nil && !slices.Contains(all, uint32(id)) {
				all = append(all, uint32(id))
			}
		}
	}
	return all
}

func refuse(mid string, err error) error {
	return fmt.Errorf("%w: section %q: %w", fault.Description, mid, err)
}
