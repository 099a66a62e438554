package noom_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
	"noom/signal/hub"
)

// TestTrace: all of a call is traced, but no secret, and what descriptions say
// only if Config asks for it.
func TestTrace(t *testing.T) {
	for _, bodies := range []bool{false, true} {
		inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
			var mu sync.Mutex
			var told []noom.Trace
			cfg := &noom.Config{Token: "token", TraceBodies: bodies, Trace: func(e noom.Trace) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, e)
			}}
			a, b := w.joinBy(w.Dialer("지우"), "데모", "지우", cfg), w.join("데모", "bob", nil)
			until(t, a, connected)
			until(t, b, connected)
			if _, err := b.Publish(t.Context(), newTestCamera(t), nil); err != nil {
				t.Fatal(err)
			}
			until[noom.TrackAdded](t, a, nil)
			_ = a.Leave(t.Context())

			mu.Lock()
			defer mu.Unlock()
			got := make(map[string]bool)
			var withBody bool
			for _, e := range told {
				what := string(e.Kind)
				if m := e.Message; m != nil {
					what += " " + string(m.Type)
					if e.InBand {
						what += " in-band"
					}
					withBody = withBody || m.Body != nil
					frame, err := m.Encode()
					fields, _ := json.Marshal(m)
					for _, secret := range []string{"token", "credential"} {
						if err != nil || strings.Contains(string(frame)+string(fields), `"`+secret+`"`) {
							t.Errorf("%s tells the %s, %v", what, secret, err)
						}
					}
				}
				if e.Kind == noom.TraceState {
					what += " " + e.State.String()
				}
				got[what] = true
				if e.Self.ID != a.Self().ID || e.Room != "데모" || e.At.IsZero() || (e.Peer.ID != "" && e.Peer.ID != b.Self().ID) {
					t.Errorf("%s tells %+v", what, e)
				}
			}
			for _, want := range []string{
				"sent join", "received joined", "received welcome", "received offer", "sent answer", "state connected",
				"received offer in-band", "sent answer in-band", "note", "sent bye", "over",
			} {
				if !got[want] {
					t.Errorf("%q is not told", want)
				}
			}
			if withBody != bodies {
				t.Errorf("bodies are told: %t", withBody)
			}
			if last := told[len(told)-1]; last.Kind != noom.TraceOver {
				t.Errorf("the last is %+v", last)
			}
		}, noomtest.WithHubConfig(func(int) *hub.Config {
			return &hub.Config{ICEServers: hub.FixedICEServers(signal.ICEServer{
				URLs: []string{"turn:198.18.200.1"}, Username: "user", Credential: "credential",
			})}
		}))
	}
}
