package link

import (
	"errors"
	"fmt"
	"testing"

	"noom/internal/data"
	"noom/internal/diagnose"
	"noom/internal/fault"
)

// TestCauseKind: the errors that end an epoch are distinguished as far as verdicts name them.
func TestCauseKind(t *testing.T) {
	for err, want := range map[error]diagnose.Cause{
		nil: diagnose.OtherCause, errTimeout: diagnose.OtherCause, errConnection: diagnose.OtherCause, errors.New("other"): diagnose.OtherCause,
		fault.DTLS: diagnose.FailedDTLS, fault.Description: diagnose.BrokenRules, data.ErrCredit: diagnose.BrokenRules, fault.Rules: diagnose.BrokenRules,
	} {
		if err != nil {
			err = fmt.Errorf("epoch 2: %w", err)
		}
		if got := causeKind(err); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
}
