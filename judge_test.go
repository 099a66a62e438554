package noom

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

	"noom/internal/link"

	"github.com/pion/transport/v5/vnet"
)

// A path that carries STUN and no DTLS.
func TestDiagnoseDTLS(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		var down atomic.Bool
		down.Store(true)
		w.router.AddChunkFilter(func(c vnet.Chunk) bool {
			data := c.UserData() // RFC 7983 section 7: 20 to 63 is DTLS
			return !down.Load() || len(data) == 0 || data[0] < 20 || data[0] > 63
		})
		logs := &warnings{}
		a, b := w.join("r", "a", &Config{Logger: slog.New(slog.NewTextHandler(logs, nil))}), w.join("r", "b", nil)
		diagnosed(t, a, b, VerdictDTLS)
		time.Sleep(50 * time.Second)
		if d := diagnosed(t, a, b, VerdictDTLS); d.Attempts < 2 {
			t.Errorf("%d attempts after 50 s", d.Attempts)
		}
		if n := logs.count(string(VerdictDTLS)); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
		down.Store(false)
		diagnosed(t, a, b, VerdictConnected)
	})
}

// A connection that fails while it is up is told of as failed, not as what it was.
func TestFailureOfWhatWasConnected(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		logs := &warnings{}
		a, b := w.join("r", "지우", &Config{Logger: slog.New(slog.NewTextHandler(logs, nil))}), w.join("r", "bob", nil)
		diagnosed(t, a, b, VerdictConnected)
		l := peerOf(t, a, b).(*peer)
		link.Inspect(l.link, func(in link.Inside) { in.Fail(ErrDescription) })
		time.Sleep(5 * time.Second)
		diagnosed(t, a, b, VerdictConnected)
		if connected, broken := logs.count("verdict=connected"), logs.count(string(VerdictProtocol)); connected != 0 || broken != 1 {
			t.Errorf("logged %d times as connected, %d times as broken; want 0 and 1", connected, broken)
		}
	})
}

// diagnosed asks a about b until the verdict is want, for at most a minute.
func diagnosed(t *testing.T, a, b Room, want Verdict) (d Diagnosis) {
	t.Helper()
	for range 600 {
		if peer, ok := a.Peer(b.Self().ID); ok {
			var err error
			if d, err = peer.Diagnose(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if d.Verdict == want {
			return d
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("want %q, is %v", want, d)
	return d
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
	known := []Verdict{
		VerdictConnected, VerdictConnecting, VerdictHubUnreachable, VerdictUndelivered, VerdictNoAnswer, VerdictNoPair,
		VerdictRelayNeeded, VerdictTURNRefused, VerdictTURNUnreachable, VerdictDTLS, VerdictCodec, VerdictProtocol,
	}
	text, err := os.ReadFile("internal/diagnose/testdata/diagnoses.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ Verdict Verdict }
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	seen := make(map[Verdict]bool)
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
