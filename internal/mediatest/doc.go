// Package mediatest helps to test the sending and receiving of media. It has cameras and
// microphones that a test drives, a virtual network, and a tape of what arrives. Only tests
// import it.
package mediatest

import "testing"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
