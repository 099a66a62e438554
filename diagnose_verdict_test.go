package noom_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"noom"
	"noom/internal/link"
	"noom/noomtest"
)

// TestDiagnoseDTLS: a path that carries STUN and no DTLS.
func TestDiagnoseDTLS(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		var down atomic.Bool
		down.Store(true)
		w.Filter(func(p noomtest.Packet) bool { // RFC 7983 section 7: 20 to 63 is DTLS
			return !down.Load() || len(p.Payload) == 0 || p.Payload[0] < 20 || p.Payload[0] > 63
		})
		logs := &warnings{}
		a, b := w.join("r", "a", &noom.Config{Logger: slog.New(slog.NewTextHandler(logs, nil))}), w.join("r", "b", nil)
		expect(t, a, b, noom.VerdictDTLS)
		time.Sleep(50 * time.Second)
		if d := expect(t, a, b, noom.VerdictDTLS); d.Attempts < 2 {
			t.Errorf("%d attempts after 50 s", d.Attempts)
		}
		if n := logs.count(string(noom.VerdictDTLS)); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
		down.Store(false)
		expect(t, a, b, noom.VerdictConnected)
	})
}

// TestFailureOfWhatWasConnected: a connection that fails while it is up is logged as failed, not as
// connected.
func TestFailureOfWhatWasConnected(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		logs := &warnings{}
		a, b := w.join("r", "지우", &noom.Config{Logger: slog.New(slog.NewTextHandler(logs, nil))}), w.join("r", "bob", nil)
		expect(t, a, b, noom.VerdictConnected)
		inspect(peerOf(t, a, b), func(in link.Inside) { in.Fail(noom.ErrDescription) })
		time.Sleep(5 * time.Second)
		expect(t, a, b, noom.VerdictConnected)
		if connected, broken := logs.count("verdict=connected"), logs.count(string(noom.VerdictProtocol)); connected != 0 || broken != 1 {
			t.Errorf("logged %d times as connected, %d times as broken; want 0 and 1", connected, broken)
		}
	})
}

// warnings is a log of which warnings are counted.
type warnings struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *warnings) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *warnings) count(words string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range strings.Lines(w.text.String()) {
		if strings.Contains(line, "level=WARN") && strings.Contains(line, words) {
			n++
		}
	}
	return n
}

// TestVerdicts: each finding reaches users as one of the verdicts they know.
func TestVerdicts(t *testing.T) {
	known := []noom.Verdict{
		noom.VerdictConnected, noom.VerdictConnecting, noom.VerdictHubUnreachable, noom.VerdictUndelivered, noom.VerdictNoAnswer, noom.VerdictNoPair,
		noom.VerdictRelayNeeded, noom.VerdictTURNRefused, noom.VerdictTURNUnreachable, noom.VerdictDTLS, noom.VerdictCodec, noom.VerdictProtocol,
	}
	text, err := os.ReadFile("internal/diagnose/testdata/diagnoses.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ Verdict noom.Verdict }
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	seen := make(map[noom.Verdict]bool)
	for _, row := range rows {
		seen[row.Verdict] = true
		if !slices.Contains(known, row.Verdict) {
			t.Errorf("%q is no verdict", row.Verdict)
		}
	}
	if len(seen) != len(known) {
		t.Errorf("%d of %d verdicts are found", len(seen), len(known))
	}
}
