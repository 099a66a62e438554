package engine

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLog sends pion's log to ours. All of it is logged as Debug, because pion logs
// everyday events, such as a lost candidate or a closed socket, as errors.
type pionLog struct{ log *slog.Logger }

func (p pionLog) NewLogger(scope string) logging.LeveledLogger {
	return pionScope{p.log.With("pion", scope)}
}

type pionScope struct{ log *slog.Logger }

func (p pionScope) say(format string, args []any) {
	if p.log.Enabled(context.Background(), slog.LevelDebug) {
		p.log.Debug(fmt.Sprintf(format, args...))
	}
}

func (p pionScope) Trace(string)                 {}
func (p pionScope) Tracef(string, ...any)        {}
func (p pionScope) Debug(string)                 {}
func (p pionScope) Debugf(string, ...any)        {}
func (p pionScope) Info(msg string)              { p.say("%s", []any{msg}) }
func (p pionScope) Infof(f string, args ...any)  { p.say(f, args) }
func (p pionScope) Warn(msg string)              { p.say("%s", []any{msg}) }
func (p pionScope) Warnf(f string, args ...any)  { p.say(f, args) }
func (p pionScope) Error(msg string)             { p.say("%s", []any{msg}) }
func (p pionScope) Errorf(f string, args ...any) { p.say(f, args) }
