package serve

import (
	"testing"

	"noom/examples/browser-server/page"
	"noom/internal/commandtest"
)

var program = Command("noom serve", page.Files)

// serveHere runs the program until the test ends, and returns its URL.
func serveHere(t *testing.T, flags ...string) string {
	t.Helper()
	return commandtest.Serve(t, program, flags...)
}
