package command

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// A Progress says how far something is that takes longer than two seconds: on a terminal in one line, which it writes
// again, elsewhere in a line each ten seconds. Its methods may be called from several goroutines.
type Progress struct {
	out      io.Writer
	terminal bool

	mu    sync.Mutex
	due   time.Time // before that nothing is said
	shown bool      // the line is that of Show
}

// When progress is said.
const (
	patience   = 2 * time.Second
	everyLine  = 10 * time.Second // not on a terminal
	everyWrite = time.Second
)

// again goes back to the beginning of a terminal's line, and clears it.
const again = "\r\x1b[K"

// NewProgress begins; out is where its lines go.
func NewProgress(out io.Writer) *Progress {
	file, ok := out.(*os.File)
	if ok {
		info, err := file.Stat()
		ok = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return &Progress{out: out, terminal: ok, due: time.Now().Add(patience)}
}

// Show says how far it is, if it is time to.
func (p *Progress) Show(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Before(p.due) {
		return
	}
	text := fmt.Sprintf(format, args...)
	if !p.terminal {
		p.due = now.Add(everyLine)
		_, _ = fmt.Fprintln(p.out, text) // to nobody, if it is not read
		return
	}
	p.due = now.Add(everyWrite)
	_, _ = fmt.Fprint(p.out, again, text) // to nobody, if it is not read
	p.shown = true
}

// Say prints a line that stays, in place of what Show has said.
func (p *Progress) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if p.shown {
		text = again + text
		p.shown = false
	}
	_, _ = fmt.Fprintln(p.out, text) // to nobody, if it is not read
}

// Size is a number of bytes for people.
func Size(n int64) string {
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	switch {
	case n < kib:
		return fmt.Sprintf("%d bytes", n)
	case n < mib:
		return fmt.Sprintf("%.1f KiB", float64(n)/kib)
	case n < gib:
		return fmt.Sprintf("%.1f MiB", float64(n)/mib)
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/gib)
}
