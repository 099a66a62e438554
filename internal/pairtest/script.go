package pairtest

import (
	"fmt"
	"strings"
)

// Run plays a script and returns it with what happened. A script is blocks
// between empty lines: commands, a line of four dashes, and what happened, which
// Run replaces. Lines that begin with # are for the reader. The commands:
//
//	new [calls] [channel] [hubless] [slow ICE] [tracks]   a new world: see Config
//	A receives                                  that event, which must be possible
//	deliver                                     all that is on its way arrives, in order
//	settle                                      nothing new happens until rest
//	state                                       how the two ends are
func Run(script string) (string, error) {
	var out strings.Builder
	w := newScripted("")
	for block := range strings.SplitSeq(strings.TrimSpace(script), "\n\n") {
		commands, _, played := strings.Cut(block+"\n", "----\n")
		out.WriteString(commands)
		if played {
			out.WriteString("----\n")
			w.script = func(line string) { fmt.Fprintln(&out, line) }
			for command := range strings.Lines(commands) {
				command = strings.TrimSpace(command)
				if strings.HasPrefix(command, "#") {
					continue
				}
				next, err := w.command(command)
				if err != nil {
					return "", err
				}
				w = next
			}
		}
		out.WriteString("\n")
	}
	return strings.TrimSpace(out.String()) + "\n", nil
}

// newScripted returns a world where everything may happen.
func newScripted(options string) *World {
	cfg := &Config{Name: "script", Cap: 64, Reorder: 8}
	for k := range cfg.Bounds {
		cfg.Bounds[k] = 9
	}
	cfg.Bounds[Rogue] = 0
	cfg.Calls = strings.Contains(options, "calls")
	cfg.Channel = strings.Contains(options, "channel")
	cfg.Hubless = strings.Contains(options, "hubless")
	cfg.SlowICE = strings.Contains(options, "slow ICE")
	if strings.Contains(options, "tracks") {
		cfg.Tracks = 1
	}
	w := New(cfg)
	w.keep = true
	return w
}

// command carries one out, and returns the world that goes on.
func (w *World) command(line string) (*World, error) {
	options, isNew := strings.CutPrefix(line, "new")
	switch {
	case isNew:
		fresh := newScripted(options)
		fresh.script = w.script
		return fresh, nil
	case line == "deliver":
		w.deliver()
	case line == "settle":
		if err := w.Settle(); err != nil {
			return nil, err
		}
		fallthrough
	case line == "state":
		w.tell("%s", w.state(0))
		w.tell("%s", w.state(1))
	default:
		ev, err := w.find(line)
		if err != nil {
			return nil, err
		}
		w.Do(ev)
	}
	return w, w.err
}

func (w *World) find(line string) (Event, error) {
	var names []string
	for _, ev := range w.Events(nil) {
		if ev.String() == line {
			return ev, nil
		}
		names = append(names, ev.String())
	}
	return Event{}, fmt.Errorf("%q cannot happen now; possible: %s", line, strings.Join(names, ", "))
}

// deliver lets all that is on its way arrive.
func (w *World) deliver() {
	arrivals := []Kind{Hear, Receive, ReceiveInBand}
	for w.err == nil {
		ev, ok := first(w.Events(nil), arrivals)
		if !ok {
			return
		}
		w.Do(ev)
	}
}

// state describes end i in a line.
func (w *World) state(i int) string {
	e := &w.ends[i]
	l := &e.link
	switch {
	case !e.here:
		return letter(i) + ": has left"
	case l.recovery.Asleep():
		return letter(i) + ": link asleep"
	case !l.known:
		return letter(i) + ": knows nobody"
	case !l.conn.open():
		return letter(i) + ": no connection yet"
	}
	words := []string{fmt.Sprintf("epoch %v", w.epochName(i)), l.conn.signaling.String()}
	if l.recovery.Broken() {
		words = append(words, "given up")
	}
	if l.up() {
		words = append(words, "connected")
	}
	if l.turn.Turn() {
		words = append(words, "holds the turn")
	}
	if !l.turn.Rest() || l.waiting > 0 {
		words = append(words, "wishes to offer")
	}
	words = append(words, fmt.Sprintf("publishes %d, hears of %d", e.tracks, l.heardTracks))
	return letter(i) + ": " + strings.Join(words, ", ")
}
