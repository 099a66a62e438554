package signal_test

import (
	"encoding/json"
	"net/url"
	"os"
	"testing"

	"noom/signal"
)

// noom.js is tested with the same file.
func TestNormalHost(t *testing.T) {
	text, err := os.ReadFile("testdata/endpoints.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ URL, Endpoint string }
	if err := json.Unmarshal(text, &rows); err != nil || len(rows) < 20 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows {
		u, err := url.Parse(row.URL)
		if err != nil {
			t.Fatal(err)
		}
		if got := signal.NormalHost(u.Host); got != row.Endpoint {
			t.Errorf("%s: %q, want %q", row.URL, got, row.Endpoint)
		}
		if again := signal.NormalHost(row.Endpoint); again != row.Endpoint {
			t.Errorf("%s: the normal form of %q is %q", row.URL, row.Endpoint, again)
		}
	}
	for host, want := range map[string]string{ // which no browser would dial
		"[fe80::1%25eth0]:8080": "[fe80::1]:8080", "[FE80::1%wlan0]": "[fe80::1]", "fe80::1%en0": "[fe80::1]", "::1": "[::1]",
		"": "", ".": "", ":8080": ":8080", "xn--a.example": "xn--a.example", "A..B": "a..b", "a:http": "a:http", "[bad": "[bad",
	} {
		if got := signal.NormalHost(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
