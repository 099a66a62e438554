package repotest

import (
	"os"
	"testing"
)

// TestMain runs the tests in the repository's root, of which they read files.
func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
