package connection

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"noom/internal/fault"

	"github.com/pion/sdp/v3"
)

// TestRecoveredBlames: a panic of ours is not the peer's description, one of a parser is;
// the log says where either came from.
func TestRecoveredBlames(t *testing.T) {
	for name, c := range map[string]struct {
		panics func()
		want   error
		where  string
	}{
		"ours":                   {func() { panic("ours") }, errInternal, "TestRecoveredBlames"},
		"ours, in the library":   {func() { _ = strings.Repeat("x", -len(t.Name())) }, errInternal, "strings.Repeat"},
		"pion's, on what is nil": {func() { _, _ = (*sdp.SessionDescription)(nil).Marshal() }, fault.Description, "pion/sdp"},
	} {
		var log bytes.Buffer
		err := func() (err error) {
			defer recoverPanic(&err, slog.New(slog.NewTextHandler(&log, nil)))
			c.panics()
			return nil
		}()
		if !errors.Is(err, c.want) || errors.Is(err, errInternal) && errors.Is(err, fault.Description) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(log.String(), c.where) {
			t.Errorf("%s: the log does not name %s: %s", name, c.where, &log)
		}
	}
	err := func() (err error) {
		defer recoverPanic(&err, slog.New(slog.DiscardHandler))
		return io.EOF
	}()
	if !errors.Is(err, io.EOF) {
		t.Errorf("without a panic: %v", err)
	}
}
