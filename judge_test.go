package noom

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/transport/v5/vnet"
	"github.com/pion/webrtc/v4"
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
		l := peerOf(t, a, b).(*link)
		l.mail.Post(func() { l.fail(ErrDescription) })
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

var rewrite = flag.Bool("rewrite", false, "write testdata/diagnoses.json anew")

// judged is a row of testdata/diagnoses.json, which noom.js is held to as well.
type judged struct {
	Name     string         `json:"name"`
	Evidence map[string]any `json:"evidence"` // without what is false, 0 or empty; durations in ms
	Verdict  Verdict        `json:"verdict"`
	Words    string         `json:"words"`
}

// plain is e for testdata/diagnoses.json.
func (e evidence) plain() map[string]any {
	kinds := func(k candidateKinds) []string { return slices.Sorted(maps.Keys(k)) }
	all := map[string]any{
		"online": e.online, "lost": e.lost, "codecs": e.codecs, "connected": e.connected, "wasUp": e.wasUp,
		"opened": e.opened.Milliseconds(), "moved": e.moved.Milliseconds(), "secured": e.secured,
		"remote": e.remote, "open": e.open, "acked": e.acked, "pending": e.pending,
		"ours": kinds(e.ours), "theirs": kinds(e.theirs), "turn": e.turn,
	}
	maps.DeleteFunc(all, func(_ string, v any) bool {
		value := reflect.ValueOf(v)
		return value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0
	})
	all["path"] = e.path.String()
	if e.path == webrtc.ICEConnectionStateUnknown {
		all["path"] = webrtc.ICEConnectionStateNew.String()
	}
	for name, err := range map[string]error{
		"timeout": errTimeout, "connection": errConnection, "DTLS": errDTLS, "description": ErrDescription, "credit": errCredit,
	} {
		if errors.Is(e.err, err) {
			all["error"] = name
		}
	}
	if e.refusal != nil {
		all["refusal"] = map[string]string{"server": e.refusal.server, "reason": e.refusal.err.Error()}
	}
	return all
}

// What takes a moment is no failure yet, and what is wrong first is named first.
func TestJudge(t *testing.T) {
	checking, up, failed := webrtc.ICEConnectionStateChecking, webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateFailed
	public := candidateKinds{"host": true, "srflx": true}
	relayed := candidateKinds{"host": true, "relay": true}
	refusal := &turnRefusal{server: "turn.example.com:3478", err: &stun.TurnError{ErrorCodeAttr: stun.ErrorCodeAttribute{Code: stun.CodeUnauthorized, Reason: []byte("Unauthorized")}}}
	const long, short = 10 * time.Second, time.Second
	cases := map[string]struct {
		e    evidence
		want Verdict
	}{
		"nothing yet":                        {evidence{online: true}, VerdictConnecting},
		"no offer came":                      {evidence{online: true, err: errTimeout}, VerdictNoAnswer},
		"just offered":                       {evidence{online: true, opened: short, open: true, pending: true}, VerdictConnecting},
		"offered long ago":                   {evidence{online: true, opened: long, moved: long, open: true, pending: true}, VerdictUndelivered},
		"acknowledged long ago":              {evidence{online: true, opened: long, moved: long, open: true, acked: true}, VerdictNoAnswer},
		"offline":                            {evidence{opened: long, open: true, pending: true}, VerdictHubUnreachable},
		"offline with a path coming up":      {evidence{opened: short, path: up, moved: short, remote: true}, VerdictConnecting},
		"the peer is lost":                   {evidence{online: true, lost: true, opened: long, remote: true, path: failed}, VerdictUndelivered},
		"checking":                           {evidence{online: true, opened: long, remote: true, path: checking, moved: short}, VerdictConnecting},
		"checking for long":                  {evidence{online: true, opened: long, remote: true, path: checking, moved: long}, VerdictNoPair},
		"public at both ends":                {evidence{online: true, opened: long, remote: true, path: failed, ours: public, theirs: public}, VerdictRelayNeeded},
		"public here alone":                  {evidence{online: true, opened: long, remote: true, path: failed, ours: public}, VerdictNoPair},
		"a relay was tried":                  {evidence{online: true, opened: long, remote: true, path: failed, ours: public, theirs: relayed, turn: true}, VerdictNoPair},
		"no relay came":                      {evidence{online: true, opened: long, remote: true, path: failed, ours: public, turn: true}, VerdictTURNUnreachable},
		"refused":                            {evidence{online: true, opened: long, remote: true, path: failed, turn: true, refusal: refusal}, VerdictTURNRefused},
		"refused, but another server relays": {evidence{online: true, opened: long, remote: true, path: failed, ours: relayed, turn: true, refusal: refusal}, VerdictNoPair},
		"DTLS under way":                     {evidence{online: true, opened: long, remote: true, path: up, moved: short}, VerdictConnecting},
		"DTLS takes long":                    {evidence{online: true, opened: long, remote: true, path: up, moved: long}, VerdictDTLS},
		"SCTP takes long":                    {evidence{online: true, opened: long, remote: true, path: up, moved: long, secured: true}, VerdictDTLS},
		"given up for DTLS":                  {evidence{opened: short, remote: true, path: up, err: errDTLS}, VerdictDTLS},
		"bad description":                    {evidence{online: true, opened: short, err: ErrDescription}, VerdictProtocol},
		"too much data":                      {evidence{online: true, connected: false, err: errCredit}, VerdictProtocol},
		"closed by the peer":                 {evidence{online: true, wasUp: true, opened: long, remote: true, path: up, secured: true, err: errConnection}, VerdictConnecting},
		"closed by the peer, offline":        {evidence{wasUp: true, opened: long, remote: true, path: up, secured: true, err: errConnection}, VerdictHubUnreachable},
		"a restart that nobody hears":        {evidence{online: true, wasUp: true, acked: true, opened: long, moved: long, remote: true, open: true, pending: true, path: failed}, VerdictUndelivered},
		"up":                                 {evidence{connected: true}, VerdictConnected},
		"up, something refused":              {evidence{connected: true, codecs: []string{"video/AV1"}}, VerdictCodec},
	}
	var rows []judged
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		d := c.e.judge()
		if d.Verdict != c.want || d.Words == "" {
			t.Errorf("%s: %v, want %q", name, d, c.want)
		}
		rows = append(rows, judged{name, c.e.plain(), d.Verdict, d.Words})
	}
	text, err := json.MarshalIndent(rows, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/diagnoses.json"
	if text = append(text, '\n'); *rewrite {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if was, err := os.ReadFile(file); err != nil || !bytes.Equal(was, text) {
		t.Errorf("%s is not what is judged now (%v); if that is right, run this test with -rewrite", file, err)
	}
}
