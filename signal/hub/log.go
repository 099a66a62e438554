package hub

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A damper bounds how many lines strangers can put into the log: what exceeds it
// goes there at Debug, and the next line that does not says how many did.
type damper struct {
	mu    sync.Mutex
	rate  *rate.Limiter
	quiet int // lines that were too many since the last that was not
}

func newDamper(pause time.Duration, burst int) *damper {
	return &damper{rate: rate.NewLimiter(rate.Every(pause), burst)}
}

// Refusals come one per connection at most; warnings are for the operator to act
// on, who needs few of them.
const (
	refusalPause, refusalBurst = time.Second, 20
	warningPause, warningBurst = 10 * time.Second, 5
)

// log writes a line, or hides it.
func (d *damper) log(log *slog.Logger, level slog.Level, message string, attrs ...slog.Attr) {
	if !log.Enabled(context.Background(), level) {
		return
	}
	d.mu.Lock()
	if d.rate.Allow() {
		if d.quiet > 0 {
			attrs = append(attrs, slog.Int("such lines before, at debug", d.quiet))
		}
		d.quiet = 0
	} else {
		d.quiet++
		level = slog.LevelDebug
	}
	d.mu.Unlock()
	log.LogAttrs(context.Background(), level, message, attrs...)
}

// warn tells the operator of something to mend.
func (h *Hub) warn(message string, attrs ...slog.Attr) {
	h.warnings.log(h.config.Logger, slog.LevelWarn, message, attrs...)
}
