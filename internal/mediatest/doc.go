// Package mediatest is for tests of what carries media: cameras and microphones that a test
// drives, a virtual network to send over, and a tape of what arrives. Only tests import it.
package mediatest

import "testing"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
