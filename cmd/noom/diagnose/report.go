package diagnose

import (
	"fmt"

	"noom/cmd/noom/command"
	"noom/signal"
)

// A report is what is printed: a line for each step.
type report struct {
	progress       *command.Progress
	failed, passed int
}

func (r *report) line(what, mark, format string, args ...any) {
	r.progress.Say("%-10s %-4s  %s", signal.Printable(what), mark, signal.Printable(fmt.Sprintf(format, args...)))
}

// good says what works.
func (r *report) good(what, format string, args ...any) {
	r.passed++
	r.line(what, "ok", format, args...)
}

// bad says what fails.
func (r *report) bad(what, format string, args ...any) {
	r.failed++
	r.line(what, "FAIL", format, args...)
}

// note says what may matter to somebody else.
func (r *report) note(what, format string, args ...any) { r.line(what, "note", format, args...) }

// err is how the program ends.
func (r *report) err() error {
	if r.failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d steps failed", r.failed, r.failed+r.passed)
}
