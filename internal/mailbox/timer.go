package mailbox

import "time"

// Timer makes the owner of a mailbox run a function after a time. Only the owner uses it.
// The zero Timer is not set.
type Timer struct{ pending *time.Timer }

// Set makes the owner run f after d, and not what was set before.
func (t *Timer) Set(m *Mailbox, d time.Duration, f func()) {
	t.Stop()
	var own *time.Timer
	own = time.AfterFunc(d, func() {
		m.Post(func() {
			if t.pending == own { // if not, it was set again or stopped while this was on its way
				t.pending = nil
				f()
			}
		})
	})
	t.pending = own
}

// Stop cancels what was set.
func (t *Timer) Stop() {
	if t.pending != nil {
		t.pending.Stop()
		t.pending = nil
	}
}

// Pending reports whether the timer is set.
func (t *Timer) Pending() bool { return t.pending != nil }
