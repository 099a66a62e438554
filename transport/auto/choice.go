package auto

import "time"

// A choice decides by which transport a hub is dialled. It is pure: time is passed in, as how long
// there has been a choice. noom.js has the same machine (browser/choice.js), and both replay
// signal/testdata/choices.json.
//
// WebSocket is dialled first. Where it has not come through after a head start, or has failed, HTTP
// is dialled too, and whichever is there first is used. If that is HTTP, WebSocket is blocked: for a
// minute HTTP comes first. Then WebSocket is tried again, and each time that fails, twice as late, up
// to 16 minutes. A WebSocket that breaks within a minute twice in a row is blocked too: something cuts
// it. So is one, at once, over which nothing came before a join was given up: something lets it open,
// and carries nothing.
type choice struct {
	blocked bool
	until   time.Duration // when WebSocket is tried again
	wait    time.Duration // how long that was put off the last time; 0: it works
	strikes int           // connections in a row that have broken early
}

const (
	headStart   = 2 * time.Second
	firstWait   = time.Minute
	lastWait    = 16 * time.Minute
	earlyBreak  = time.Minute
	mostStrikes = 2
)

// webSocketFirst reports whether WebSocket is dialled first.
func (c *choice) webSocketFirst(now time.Duration) bool { return !c.blocked || now >= c.until }

// trialAt is when WebSocket is to be tried again; 0: it is thought to work.
func (c *choice) trialAt() time.Duration {
	if !c.blocked {
		return 0
	}
	return c.until
}

// failed notes that WebSocket did not come through where HTTP did.
func (c *choice) failed(now time.Duration) {
	c.wait = min(max(2*c.wait, firstWait), lastWait)
	c.blocked, c.until, c.strikes = true, now+c.wait, 0
}

// worked notes that WebSocket has come through.
func (c *choice) worked() { c.blocked = false }

// broke notes that a WebSocket has broken, and after how long.
func (c *choice) broke(now, lasted time.Duration) {
	if lasted >= earlyBreak {
		c.strikes, c.wait = 0, 0
		return
	}
	if c.strikes++; c.strikes >= mostStrikes {
		c.failed(now)
	}
}
