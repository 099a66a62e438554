//go:build capture && cgo && !(screen && linux)

package capture

import (
	"errors"
	"strings"
	"testing"
)

// Without its tag a screen says how to get it.
func TestScreenNotBuilt(t *testing.T) {
	_, err := OpenScreen("", nil)
	if !errors.Is(err, ErrScreenNotBuilt) || !errors.Is(err, ErrNotBuilt) {
		t.Fatal(err)
	}
	for _, word := range []string{"-tags capture,screen", "libx11-dev", "libxext-dev"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %s", err, word)
		}
	}
}
