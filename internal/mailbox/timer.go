package mailbox

import "time"

// Timer has the owner of a mailbox run a function after a time. The owner alone uses it;
// the zero Timer is not set.
type Timer struct{ pending *time.Timer }

// Set has f run after d, in place of what was to run before.
func (t *Timer) Set(m *Mailbox, d time.Duration, f func()) {
	t.Stop()
	var own *time.Timer
	own = time.AfterFunc(d, func() {
		m.Post(func() {
			if t.pending == own { // else it was set again, or stopped, while this was on its way
				t.pending = nil
				f()
			}
		})
	})
	t.pending = own
}

// Stop makes nothing run.
func (t *Timer) Stop() {
	if t.pending != nil {
		t.pending.Stop()
		t.pending = nil
	}
}

// Pending reports whether something is to run.
func (t *Timer) Pending() bool { return t.pending != nil }
