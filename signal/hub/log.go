package hub

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A logbook keeps what strangers can cause from filling a log: so many lines of a kind, and
// then one after each pause, which says how many were left out.
type logbook struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*logKind
}

type logKind struct {
	bucket
	left int // lines left out since the last one
}

var linesOfAKind = pace{20, 10 * time.Second}

// maxLogKinds bounds the kinds; an application's codes may be some.
const maxLogKinds = 64

// write logs a line of a kind, or counts it.
func (l *logbook) write(kind string, level slog.Level, text string, attrs ...slog.Attr) {
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	left, ok := l.allow(kind, time.Now())
	if !ok {
		return
	}
	if left > 0 {
		attrs = append(attrs, slog.Int("left_out", left))
	}
	l.log.LogAttrs(context.Background(), level, text, attrs...)
}

func (l *logbook) allow(kind string, now time.Time) (left int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[kind]
	if k == nil {
		if len(l.kinds) >= maxLogKinds {
			kind = otherLabel
		}
		if k = l.kinds[kind]; k == nil {
			k = new(logKind)
			l.kinds[kind] = k
		}
	}
	if _, ok = k.take(linesOfAKind, 1, now, 0); !ok {
		k.left++
		return 0, false
	}
	left, k.left = k.left, 0
	return left, true
}

// What a fleet warns of, it logs once no lock is held.

// A logNote is a line for the log.
type logNote struct {
	kind, text string
	err        error
}

// mostNotes is how many wait for the next tick.
const mostNotes = 64

// note logs a warning at the next tick, because locks are held now, and a handler of logs is the application's.
func (f *fleet) note(kind, text string, err error) {
	select {
	case f.notes <- logNote{kind, text, err}:
	default: // what is warned of is counted too
	}
}

func (f *fleet) logNotes() {
	for {
		select {
		case n := <-f.notes:
			f.hub.logbook.write(n.kind, slog.LevelWarn, n.text, slog.Any("err", n.err))
		default:
			return
		}
	}
}
