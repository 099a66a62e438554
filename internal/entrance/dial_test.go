package entrance_test

import (
	"strings"
	"testing"

	"noom/internal/entrance"
)

// Nothing that is said of a URL, whether it can be read or not, has a password in it, or a part of one.
func TestRedacted(t *testing.T) {
	const misplaced = "a URL with an @ out of place"
	for url, want := range map[string]string{
		"wss://call.example/ws":                          "wss://call.example/ws",
		"wss://jiwoo:hush@콜.example:8443/ws?hush=1#hush": "wss://%EC%BD%9C.example:8443/ws",
		"wss://hush@call.example/ws":                     "wss://call.example/ws",
		"ws://jiwoo:hush@call.example/@방":                "ws://call.example/@%EB%B0%A9",
		"ws://jiwoo:pässwörd-hush@[bad":                  misplaced,
		"ws://jiwoo:hush/hush@call.example/ws":           misplaced,
		"ws://jiwoo:12/hush@call.example/ws":             misplaced,
		"ws://jiwoo:12?hush@call.example/ws":             misplaced,
		"ws://jiwoo:%hush@call.example/ws":               misplaced,
		"jiwoo:hush@call.example":                        misplaced,
		"http:/jiwoo:hush@call.example/ws":               misplaced,
		"ws://call example/ws?hush":                      "ws://call example/ws",
		"ws://call.example/\x1b[2J#hush":                 "ws://call.example/ [2J",
		"ftp://jiwoo:hush@call.example/ws":               "ftp://call.example/ws",
		"ws://jiwoo:hush@/ws":                            "ws:///ws",
		"":                                               "",
		"ws://call.example/?":                            "ws://call.example/",
	} {
		if got := entrance.Redacted(url); got != want {
			t.Errorf("%q is shown as %q, want %q", url, got, want)
		}
		if _, err := entrance.ParseURL(url, "ws"); err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
