package call

import (
	"context"
	"fmt"
	"log/slog"

	"noom/signal"
)

// Warnings returns a log that says what a person should know of a call, a line each; the rest is left out.
func Warnings(say func(line string)) *slog.Logger { return slog.New(warnings{say}) }

// warnings implements [slog.Handler].
type warnings struct{ say func(line string) }

// Enabled implements [slog.Handler].
func (warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements [slog.Handler].
func (w warnings) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if value := a.Value.String(); value != "" && value != "<nil>" {
			text += fmt.Sprintf("; %s: %s", a.Key, value)
		}
		return true
	})
	w.say(signal.Printable(text))
	return nil
}

// WithAttrs implements [slog.Handler]. The attributes say which room and peer it is about: a program has one room.
func (w warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

// WithGroup implements [slog.Handler].
func (w warnings) WithGroup(string) slog.Handler { return w }
