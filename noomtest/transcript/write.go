package transcript

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// WriteText writes one line of text for each entry:
//
//	0.020  alice → bob    offer 1 (camera)      [epoch 1 alice, seq 1, ack 0]
//	0.060  bob   ← alice  offer 1 (camera)      [epoch 1 alice, seq 1, ack 0]
//	0.300  bob   · alice  connected
//	0.320  bob   ⇒ alice  offer 1               [epoch 1 alice, seq 2, ack 1]
//
// Times are in seconds. → and ← go by hub, ⇒ and ⇐ over the connection itself;
// · is what the one on the left decided or saw; a line that begins with --
// is what the test did.
func (t *Transcript) WriteText(w io.Writer) error {
	t.mu.Lock()
	dropped := t.dropped
	t.mu.Unlock()
	var b strings.Builder
	if dropped > 0 {
		fmt.Fprintf(&b, "(%d earlier lines are not kept)\n", dropped)
	}
	lines := t.Lines()
	width := 0
	for _, l := range lines {
		width = max(width, columns(l.Self), columns(l.Peer))
	}
	for _, l := range lines {
		b.WriteString(l.text(width))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// String returns what WriteText writes.
func (t *Transcript) String() string {
	var b strings.Builder
	_ = t.WriteText(&b) // a Builder takes everything
	return b.String()
}

// text is l as a line; names are padded to width.
func (l *Line) text(width int) string {
	at, what := seconds(l.At), l.what()
	if l.Self == "" {
		return fmt.Sprintf("%9s  -- %s", at, what)
	}
	if l.By != "" {
		what = fmt.Sprintf("%s [epoch %d %s, seq %d, ack %d]", pad(what, 24), l.Number, l.By, l.Seq, l.Ack)
	}
	return fmt.Sprintf("%9s  %s %s %s  %s", at, pad(l.Self, width), l.arrow(), pad(l.Peer, width), what)
}

func pad(name string, width int) string {
	return name + strings.Repeat(" ", max(0, width-columns(name)))
}

// columns is how wide a terminal shows text: Korean, Chinese and Japanese
// characters take two columns.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n++
		if unicode.In(r, unicode.Hangul, unicode.Han, unicode.Hiragana, unicode.Katakana) {
			n++
		}
	}
	return n
}

func (l *Line) arrow() string {
	switch {
	case l.Kind == Sent && l.InBand:
		return "⇒"
	case l.Kind == Sent:
		return "→"
	case l.Kind == Received && l.InBand:
		return "⇐"
	case l.Kind == Received:
		return "←"
	}
	return "·"
}

// what is what a line says, on one line.
func (l *Line) what() string {
	return strings.TrimSpace(string(l.Type) + " " + strings.ReplaceAll(l.Text, "\n", " "))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// WriteJSON writes one JSON object for each entry, a line each, for [Read].
func (t *Transcript) WriteJSON(w io.Writer) error {
	b := bufio.NewWriter(w)
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	for _, l := range t.Lines() {
		if err := encoder.Encode(l); err != nil {
			return err
		}
	}
	return b.Flush()
}

// Read makes a Transcript of what WriteJSON has written.
func Read(r io.Reader) (*Transcript, error) {
	t := New(0)
	decoder := json.NewDecoder(r)
	for n := 1; ; n++ {
		var l Line
		if err := decoder.Decode(&l); err == io.EOF {
			return t, nil
		} else if err != nil {
			return nil, fmt.Errorf("transcript: line %d: %w", n, err)
		}
		t.add(l)
	}
}
