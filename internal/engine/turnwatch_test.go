package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/pion/stun/v4"
)

// TestRefusals: refusals are recognised in what pion logs of TURN servers, and nothing else is.
func TestRefusals(t *testing.T) {
	code := stun.ErrorCodeAttribute{Code: stun.CodeUnauthorized, Reason: []byte("Unauthorized")}
	refusal := &stun.TurnError{ErrorCodeAttr: code}
	for name, c := range map[string]struct {
		args []any
		want bool
	}{
		"a refusal":                {[]any{"192.0.2.1:3478", refusal}, true},
		"a wrapped refusal":        {[]any{"192.0.2.1:3478", fmt.Errorf("allocate: %w", refusal)}, true},
		"another error":            {[]any{"192.0.2.1:3478", errors.New("no route to host")}, false},
		"no server":                {[]any{refusal}, false},
		"a server of another type": {[]any{3478, refusal}, false},
		"no arguments":             {nil, false},
	} {
		var got *TURNRefusal
		logs := watchTURN(pionLog{slog.New(slog.DiscardHandler)}, func(r *TURNRefusal) { got = r })
		logs.NewLogger("ice").Warnf("Failed to allocate on TURN client %s %s", c.args...)
		if (got != nil) != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if got != nil && (got.Server != "192.0.2.1:3478" || got.Err.ErrorCodeAttr.Code != stun.CodeUnauthorized || got.At.IsZero()) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
