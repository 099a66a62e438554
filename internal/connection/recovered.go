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

// errInternal is why a connection is given up after a panic that the peer is not to blame for.
var errInternal = errors.New("noom: internal error")

// recovered, deferred, makes a panic the function's error and logs its stack. Where pion and
// the JSON library take what the network sent, that costs one link and not the process. The
// peer is to blame where one of them panicked, or a parser of ours.
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

// isStandard reports whether a function, named as the runtime does, is the standard library's.
func isStandardLibrary(function string) bool {
	function, _, _ = strings.Cut(function, "[") // what it is instantiated with
	first, _, nested := strings.Cut(function, "/")
	if nested {
		return first != "noom" && !strings.Contains(first, ".")
	}
	pkg, _, _ := strings.Cut(first, ".")
	return pkg != "noom" && pkg != "main"
}
