package inbound

import (
	"testing"
	"time"
)

func TestFromNTP(t *testing.T) {
	for at, want := range map[uint64]string{
		0x83aa7e80_00000000: "1970-01-01T00:00:00Z",
		0xffffffff_80000000: "2036-02-07T06:28:15.5Z",
		0x00000000_80000000: "2036-02-07T06:28:16.5Z",
	} {
		if got := fromNTP(at).UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("%x: %s, want %s", at, got, want)
		}
	}
}
