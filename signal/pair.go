package signal

import (
	"fmt"
	"strings"
)

// Description is the body of an offer or an answer.
type Description struct {
	ID    int64  `json:"id"` // an answer's is its offer's
	SDP   string `json:"sdp"`
	Table Table  `json:"table"`
}

// Table says what its sender sends on each mid, the whole of it.
type Table struct {
	Version int64               `json:"version"`
	Tracks  map[string]TrackRow `json:"tracks"`
}

// TrackRow is a track in a [Table].
type TrackRow struct {
	ID    string `json:"id"`   // 1 to 64 characters of base64url, unique on the link
	Name  string `json:"name"` // such as camera
	Kind  string `json:"kind"` // audio or video
	Muted bool   `json:"muted"`
	// Paused says that the receiver of the table does not get the track now, because the connection takes too little.
	Paused bool `json:"paused,omitempty"`
}

// TableBody is the body of a table frame.
type TableBody struct {
	Table Table `json:"table"`
}

// WantsBody is the body of a wants frame: what its sender needs of the tracks of its receiver, the whole of it.
type WantsBody struct {
	Version int64 `json:"version"`
	// Wants has for each track id the height in pixels of the largest picture that is shown, 0 if it is not shown at
	// all. What is not named is wanted in full.
	Wants map[string]int `json:"wants"`
}

// Candidates is the body of a candidates frame.
type Candidates struct {
	Ufrag      string      `json:"ufrag"` // of the description they belong to
	Candidates []Candidate `json:"candidates"`
}

// Candidate is a trickled candidate; an empty one says that no more come.
type Candidate struct {
	Candidate     string `json:"candidate"`
	SDPMid        string `json:"sdpMid"`
	SDPMLineIndex uint16 `json:"sdpMLineIndex"`
}

// Check says which bound d breaks.
func (d *Description) Check() error {
	switch {
	case d.ID < 1 || d.ID > MaxNumber:
		return fmt.Errorf("description id %d out of bounds", d.ID)
	case d.SDP == "" || len(d.SDP) > MaxSDP:
		return fmt.Errorf("SDP of %d bytes, want 1 to %d", len(d.SDP), MaxSDP)
	}
	if n := countLines(d.SDP, isSection); n < 1 || n > MaxSections {
		return fmt.Errorf("SDP of %d media sections, want 1 to %d", n, MaxSections)
	}
	if n := countLines(d.SDP, isCandidate); n > MaxGeneration {
		return fmt.Errorf("SDP of %d candidates, at most %d", n, MaxGeneration)
	}
	return d.Table.Check()
}

// countLines counts the lines that are so, whatever ends a line, before anybody parses them. is gets what begins with one.
func countLines(sdp string, is func(rest string) bool) (n int) {
	for {
		if is(sdp) {
			n++
		}
		end := strings.IndexAny(sdp, "\r\n")
		if end < 0 {
			return n
		}
		sdp = sdp[end+1:]
	}
}

func isSection(rest string) bool { return strings.HasPrefix(rest, "m=") }

// isCandidate reports whether a browser may take a line for a candidate: upper or lower case and more blanks do not matter.
func isCandidate(rest string) bool {
	const name, between = "candidate", ":\t "
	if !strings.HasPrefix(rest, "a=") && !strings.HasPrefix(rest, "A=") {
		return false
	}
	rest = strings.TrimLeft(rest[2:], between)
	return len(rest) > len(name) && strings.EqualFold(rest[:len(name)], name) && strings.IndexByte(between, rest[len(name)]) >= 0
}

// Check says which bound t breaks.
func (t *Table) Check() error {
	if t.Version < 0 || t.Version > MaxNumber {
		return fmt.Errorf("table version %d out of bounds", t.Version)
	}
	if len(t.Tracks) > MaxTracks {
		return fmt.Errorf("table of %d tracks, at most %d", len(t.Tracks), MaxTracks)
	}
	seen := make(map[string]bool, len(t.Tracks))
	for mid, row := range t.Tracks {
		switch {
		case len(mid) == 0 || len(mid) > MaxLabel:
			return fmt.Errorf("table: bad mid %q", mid)
		case !validLabel(row.ID):
			return fmt.Errorf("table: bad track id %q", row.ID)
		case seen[row.ID]:
			return fmt.Errorf("table: track %q twice", row.ID)
		case row.Kind != "audio" && row.Kind != "video":
			return fmt.Errorf("table: bad kind %q", row.Kind)
		}
		if err := CheckName(row.Name); err != nil {
			return fmt.Errorf("table: track %q: %w", row.ID, err)
		}
		seen[row.ID] = true
	}
	return nil
}

// Check says which bound c breaks.
func (c *Candidates) Check() error {
	if n := len(c.Candidates); n < 1 || n > MaxCandidates {
		return fmt.Errorf("%d candidates, want 1 to %d", n, MaxCandidates)
	}
	if len(c.Ufrag) == 0 || len(c.Ufrag) > 256 {
		return fmt.Errorf("ufrag of %d bytes", len(c.Ufrag))
	}
	for _, x := range c.Candidates {
		if len(x.Candidate) > MaxCandidate || len(x.SDPMid) > MaxLabel {
			return fmt.Errorf("candidate of %d bytes, at most %d", len(x.Candidate), MaxCandidate)
		}
	}
	return nil
}

// Check says which bound w breaks.
func (w *WantsBody) Check() error {
	if w.Version < 0 || w.Version > MaxNumber {
		return fmt.Errorf("wants: version %d out of bounds", w.Version)
	}
	if len(w.Wants) > MaxTracks {
		return fmt.Errorf("wants of %d tracks, at most %d", len(w.Wants), MaxTracks)
	}
	for id, height := range w.Wants {
		switch {
		case !validLabel(id):
			return fmt.Errorf("wants: bad track id %q", id)
		case height < 0 || height > MaxHeight:
			return fmt.Errorf("wants: a height of %d pixels, want 0 to %d", height, MaxHeight)
		}
	}
	return nil
}

// Check says which bound t breaks.
func (t *TableBody) Check() error { return t.Table.Check() }
