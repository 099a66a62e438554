package main

import (
	"testing"

	"noom/internal/browsertest"
)

// The pure parts of the page, under Node.
func TestPureParts(t *testing.T) {
	t.Parallel()
	browsertest.NodeTests(t, "page")
}
