package transcript

import (
	"fmt"
	"io"
	"strings"
	"time"

	"noom/signal"
)

// WriteMermaid writes a sequence diagram in Mermaid's language, which many viewers of Markdown
// draw. Each frame is one arrow, with the times it was sent and received at; a dotted one went over
// the connection itself, and one that ends in a cross never arrived. Acknowledgements and
// heartbeats, and what a frame shows anyway, are left out.
func (t *Transcript) WriteMermaid(w io.Writer) error {
	lines := t.Lines()
	var b strings.Builder
	b.WriteString("sequenceDiagram\n")
	ids := participants(lines)
	for i, name := range ids.names {
		fmt.Fprintf(&b, "    participant p%d as %s\n", i, escape(name))
	}
	arrivals := arrivalsOf(lines)
	for i := range lines {
		l := &lines[i]
		switch {
		case l.Self == "":
			if len(ids.names) > 0 {
				fmt.Fprintf(&b, "    Note over p0,p%d: %s %s\n", len(ids.names)-1, seconds(l.At), escape(l.what()))
			}
		case l.Kind == Sent && !background(l.Type):
			at, arrived := arrivals[i]
			arrow, when := "->>", seconds(l.At)
			switch {
			case l.Peer == Hub: // a hub records nothing, but it got this
			case !arrived && l.InBand:
				arrow = "--x"
			case !arrived:
				arrow = "-x"
			case l.InBand:
				arrow, when = "-->>", when+" to "+seconds(at)
			default:
				when += " to " + seconds(at)
			}
			fmt.Fprintf(&b, "    p%d%sp%d: %s, %s\n", ids.of[l.Self], arrow, ids.of[l.Peer], escape(l.what()), when)
		case l.Kind == Received && l.Peer == Hub && !background(l.Type):
			fmt.Fprintf(&b, "    p%d->>p%d: %s, %s\n", ids.of[Hub], ids.of[l.Self], escape(l.what()), seconds(l.At))
		case l.Kind == State, l.Kind == Note && decisive(l.Text):
			about := ""
			if l.Peer != Hub {
				about = l.Peer + " "
			}
			fmt.Fprintf(&b, "    Note over p%d: %s %s\n", ids.of[l.Self], seconds(l.At), escape(about+l.Text))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Mermaid returns what WriteMermaid writes.
func (t *Transcript) Mermaid() string {
	var b strings.Builder
	_ = t.WriteMermaid(&b) // a Builder takes everything
	return b.String()
}

// cast are the participants at the top of a diagram.
type cast struct {
	names []string
	of    map[string]int
}

func participants(lines []Line) cast {
	c := cast{of: make(map[string]int)}
	for _, l := range lines {
		for _, name := range []string{l.Self, l.Peer} {
			if _, ok := c.of[name]; !ok && name != "" {
				c.of[name] = len(c.names)
				c.names = append(c.names, name)
			}
		}
	}
	return c
}

// arrivalsOf finds for each frame sent, by index, when it was received. Each
// way of each pair is matched first to first.
func arrivalsOf(lines []Line) map[int]time.Duration {
	type frame struct {
		from, to, by, session string
		kind                  signal.Type
		inBand                bool
		number, seq, ack      int64
	}
	received := make(map[frame][]time.Duration)
	key := func(l *Line, from, to string) frame {
		return frame{from, to, l.By, l.Session, l.Type, l.InBand, l.Number, l.Seq, l.Ack}
	}
	for i := range lines {
		if l := &lines[i]; l.Kind == Received && l.Peer != Hub {
			k := key(l, l.Peer, l.Self)
			received[k] = append(received[k], l.At)
		}
	}
	arrivals := make(map[int]time.Duration)
	for i := range lines {
		l := &lines[i]
		if l.Kind != Sent || l.Peer == Hub {
			continue
		}
		if k := key(l, l.Self, l.Peer); len(received[k]) > 0 {
			arrivals[i], received[k] = received[k][0], received[k][1:]
		}
	}
	return arrivals
}

// background reports whether frames of a type would only hide the others.
func background(t signal.Type) bool {
	return t == signal.TypeAck || t == signal.TypePing || t == signal.TypePong
}

// decisive reports whether a note says more than the arrows do.
func decisive(note string) bool {
	return !strings.HasPrefix(note, "remote description") && !strings.HasPrefix(note, "local description") &&
		!strings.HasPrefix(note, "path")
}

// escape keeps text from being taken for Mermaid's own syntax.
func escape(text string) string {
	return strings.NewReplacer("#", "#35;", ";", "#59;", "\n", " ", "%%", "#37;#37;").Replace(text)
}
