package connection

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"noom/internal/fault"
)

// errInternal is the reason for giving a connection up after a panic that is not the peer's fault.
var errInternal = errors.New("noom: internal error")

// recoverPanic, deferred, turns a panic into the function's error and logs its stack. Where pion and the JSON library
// take what the network sent, a panic costs one connection and not the process. It is the peer's fault if one of them
// panicked, or a parser of ours.
func recoverPanic(err *error, log *slog.Logger) {
	r := recover()
	if r == nil {
		return
	}
	cause := errInternal
	if parserPanicked() {
		cause = fault.Description
	}
	*err = fmt.Errorf("%w: panic: %v", cause, r)
	log.Error("a panic costs this connection", "error", *err, "stack", string(debug.Stack()))
}

// parsers are the packages that take what a peer has sent.
var parsers = []string{"github.com/pion/", "github.com/go-json-experiment/", "noom/signal."}

// parserPanicked reports, in a deferred function, whether the innermost function that
// panicked, the standard library's aside, is a parser's.
func parserPanicked() bool {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for panicked, more := false, true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !isStandardLibrary(f.Function):
			return slices.ContainsFunc(parsers, func(p string) bool { return strings.HasPrefix(f.Function, p) })
		}
	}
	return false
}

// isStandardLibrary reports whether a function, by its name in the runtime, is the standard library's.
func isStandardLibrary(function string) bool {
	function, _, _ = strings.Cut(function, "[") // without type arguments
	first, _, nested := strings.Cut(function, "/")
	if nested {
		return first != "noom" && !strings.Contains(first, ".")
	}
	pkg, _, _ := strings.Cut(first, ".")
	return pkg != "noom" && pkg != "main"
}
