package http

import "time"

// A mode decides how a member asks for frames: by a stream, or, where a proxy holds it back, by one
// request after the other; when a request is given up, and when the next one begins. It is pure:
// time is passed in, as how long the connection has lasted. noom.js has the same machine
// (browser/mode.js), and both replay signal/testdata/http_modes.json.
type mode struct {
	patience time.Duration // how long an answer may take, and what is known to be there

	polling bool          // streams are held back
	trialAt time.Duration // when one is tried again
	trial   time.Duration // how long that took to come, the last time; 0: it never did

	// Of the present request.
	stream  bool
	asked   time.Duration // when it began
	live    bool          // something of the answer has come
	brought bool          // an event has come
	lame    bool          // the stream before brought something and then stood still

	got    int64         // the highest number that has come
	there  int64         // the highest that the server is known to have
	moved  time.Duration // when something came last, or there was found to be more
	busy   bool          // the application takes nothing, so nothing is read
	pauses int           // how many requests in a row have brought nothing
}

const (
	leastPatience = time.Second
	firstTrial    = time.Minute
	lastTrial     = 16 * time.Minute
	firstPause    = 100 * time.Millisecond // after a request that has brought nothing; then twice as long each time
	lastPause     = 2 * time.Second
)

// newMode returns the mode of a connection whose opening took that long.
func newMode(opening time.Duration) mode {
	return mode{patience: max(leastPatience, 4*opening)}
}

// begin begins a request, and reports whether it asks for a stream.
func (m *mode) begin(now time.Duration) (stream bool) {
	m.stream = !m.polling || now >= m.trialAt
	m.asked, m.moved, m.live, m.brought = now, now, false, false
	return m.stream
}

// bytes notes that something has come, if only a part of an event.
func (m *mode) bytes(now time.Duration) { m.live, m.moved = true, now }

// event notes that an event has come whole.
func (m *mode) event(now time.Duration, number int64) {
	m.bytes(now)
	m.got, m.brought, m.pauses = max(m.got, number), true, 0
	if m.stream {
		m.polling, m.lame = false, false
	}
}

// has notes up to which number there are events at the server, which it says in its answers to
// batches.
func (m *mode) has(now time.Duration, number int64) {
	if m.there <= m.got {
		m.moved = now
	}
	m.there = max(m.there, number)
}

// hold says that nothing is read because the application takes nothing, or that it is again.
func (m *mode) hold(now time.Duration, busy bool) { m.busy, m.moved = busy, now }

// due is when check is to be asked, if nothing happens before; 0: it need not be.
func (m *mode) due() time.Duration {
	switch {
	case m.busy:
		return 0
	case m.stream && !m.live:
		return m.asked + m.patience
	case m.there > m.got:
		return m.moved + m.patience
	case !m.stream:
		return m.asked + pollTimeout + m.patience
	default:
		return 0
	}
}

// check reports whether the present request is to be given up, because something holds back what
// comes or has lost the connection.
func (m *mode) check(now time.Duration) (giveUp bool) {
	due := m.due()
	if due == 0 || now < due {
		return false
	}
	if m.stream {
		if m.brought && !m.lame {
			m.lame = true // it may have been the connection alone
			return true
		}
		m.lame, m.polling = false, true
		m.trial = min(max(2*m.trial, firstTrial), lastTrial)
		m.trialAt = now + m.trial
	}
	return true
}

// ended notes that the request has ended, by check or by itself, and returns how long to wait before
// the next one.
func (m *mode) ended(now time.Duration, failed bool) (pause time.Duration) {
	if !failed && (m.brought || now-m.asked >= time.Second) {
		m.pauses = 0
		return 0
	}
	m.pauses = min(m.pauses+1, 10)
	return pauseAfter(m.pauses)
}

// pauseAfter is how long to wait after so many failures in a row.
func pauseAfter(failures int) time.Duration {
	return min(firstPause<<(failures-1), lastPause)
}
