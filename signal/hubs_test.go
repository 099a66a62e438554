package signal_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
)

// What noom.js orders too.
func TestOrderHubs(t *testing.T) {
	text, err := os.ReadFile("testdata/hubs.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Room          string
		Hubs, Ordered []string
	}
	if err = json.Unmarshal(text, &cases); err != nil || len(cases) < 5 {
		t.Fatal(len(cases), err)
	}
	firsts := make(map[string]bool)
	for _, test := range cases {
		if got := signal.OrderHubs(test.Room, test.Hubs); !slices.Equal(got, test.Ordered) {
			t.Errorf("%q: %q, want %q", test.Room, got, test.Ordered)
		}
		firsts[test.Ordered[0]] = true
	}
	if len(firsts) < 3 {
		t.Errorf("the rooms have only %d hubs that are first", len(firsts))
	}
}

// TestDialHubs: hubs that answer nothing share the time, and the error names each.
func TestDialHubs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		silent := signal.DialerFunc(func(ctx context.Context) (signal.Signaler, error) {
			at = append(at, time.Since(began))
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		_, err := signal.DialHubs(ctx, []signal.HubDialer{{URL: "ws://a", Dialer: silent}, {URL: "ws://나", Dialer: silent}, {URL: "ws://c", Dialer: silent}})
		failed, ok := errors.AsType[*signal.HubsError](err)
		if !ok || len(failed.Failures) != 3 || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		for _, url := range []string{"ws://a", "ws://나", "ws://c"} {
			if !strings.Contains(err.Error(), url+": ") {
				t.Errorf("%v does not name %s", err, url)
			}
		}
		if want := []time.Duration{0, 3 * time.Second, 6 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("dialled at %v, want %v", at, want)
		}
	})
}
