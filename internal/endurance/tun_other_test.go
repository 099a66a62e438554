//go:build !linux

package endurance

import (
	"os"
	"syscall"
	"testing"
)

func openTUN(t *testing.T, _ string) *os.File {
	t.Helper()
	skipOrFail(t, "it needs Linux")
	return nil
}

func useCubic(string, string, syscall.RawConn) error { return nil }
