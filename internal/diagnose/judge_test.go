package diagnose_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"noom/internal/diagnose"
)

var rewriteFile = flag.Bool("rewrite", false, "rewrite testdata/diagnoses.json")

// The errors that end an epoch and have a name in testdata/diagnoses.json.
var (
	errTimeout     = errors.New("connection did not come up in time")
	errConnection  = errors.New("connection failed")
	errDTLS        = errors.New("DTLS failed")
	errDescription = errors.New("noom: description refused")
	errCredit      = errors.New("peer sent more data than it had credit for, or left a gap")
)

// judgedRow is a row of testdata/diagnoses.json, which also tests noom.js.
type judgedRow struct {
	Name     string           `json:"name"`
	Evidence map[string]any   `json:"evidence"` // without what is false, 0 or empty; durations in ms
	Verdict  diagnose.Verdict `json:"verdict"`
	Words    string           `json:"words"`
}

type evidence = diagnose.Evidence

// plainEvidence returns e in the form of testdata/diagnoses.json.
func plainEvidence(e *evidence) map[string]any {
	kinds := func(k diagnose.Kinds) []string { return slices.Sorted(maps.Keys(k)) }
	all := map[string]any{
		"online": e.Online, "lost": e.Lost, "codecs": e.Codecs, "connected": e.Connected, "wasUp": e.WasUp,
		"opened": e.Opened.Milliseconds(), "moved": e.Moved.Milliseconds(), "secured": e.Secured,
		"remote": e.Remote, "open": e.Open, "acked": e.Acked, "pending": e.Pending,
		"ours": kinds(e.Ours), "theirs": kinds(e.Theirs), "turn": e.TURN,
	}
	maps.DeleteFunc(all, func(_ string, v any) bool {
		value := reflect.ValueOf(v)
		return value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0
	})
	all["path"] = cmp.Or(e.Path, "new")
	for name, err := range map[string]error{
		"timeout": errTimeout, "connection": errConnection, "DTLS": errDTLS, "description": errDescription, "credit": errCredit,
	} {
		if errors.Is(e.Err, err) {
			all["error"] = name
		}
	}
	if e.Refusal != nil {
		all["refusal"] = map[string]string{"server": e.Refusal.Server, "reason": e.Refusal.Err.Error()}
	}
	return all
}

// TestJudge: a step that takes a moment is not yet a failure, and the first failed step is named.
func TestJudge(t *testing.T) {
	const checking, up, failed = "checking", "connected", "failed"
	public := diagnose.Kinds{"host": true, "srflx": true}
	relayed := diagnose.Kinds{"host": true, "relay": true}
	refusal := &diagnose.Refusal{Server: "turn.example.com:3478", Err: errors.New("Allocate error response (error 401: Unauthorized)")}
	const long, short = 10 * time.Second, time.Second
	cases := map[string]struct {
		e    evidence
		want diagnose.Verdict
	}{
		"nothing yet":                        {evidence{Online: true}, diagnose.Connecting},
		"no offer came":                      {evidence{Online: true, Err: errTimeout}, diagnose.NoAnswer},
		"just offered":                       {evidence{Online: true, Opened: short, Open: true, Pending: true}, diagnose.Connecting},
		"offered long ago":                   {evidence{Online: true, Opened: long, Moved: long, Open: true, Pending: true}, diagnose.Undelivered},
		"acknowledged long ago":              {evidence{Online: true, Opened: long, Moved: long, Open: true, Acked: true}, diagnose.NoAnswer},
		"offline":                            {evidence{Opened: long, Open: true, Pending: true}, diagnose.HubUnreachable},
		"offline with a path coming up":      {evidence{Opened: short, Path: up, Moved: short, Remote: true}, diagnose.Connecting},
		"the peer is lost":                   {evidence{Online: true, Lost: true, Opened: long, Remote: true, Path: failed}, diagnose.Undelivered},
		"checking":                           {evidence{Online: true, Opened: long, Remote: true, Path: checking, Moved: short}, diagnose.Connecting},
		"checking for too long":              {evidence{Online: true, Opened: long, Remote: true, Path: checking, Moved: long}, diagnose.NoPair},
		"public at both ends":                {evidence{Online: true, Opened: long, Remote: true, Path: failed, Ours: public, Theirs: public}, diagnose.RelayNeeded},
		"public here only":                   {evidence{Online: true, Opened: long, Remote: true, Path: failed, Ours: public}, diagnose.NoPair},
		"a relay was tried":                  {evidence{Online: true, Opened: long, Remote: true, Path: failed, Ours: public, Theirs: relayed, TURN: true}, diagnose.NoPair},
		"no relay was allocated":             {evidence{Online: true, Opened: long, Remote: true, Path: failed, Ours: public, TURN: true}, diagnose.TURNUnreachable},
		"refused":                            {evidence{Online: true, Opened: long, Remote: true, Path: failed, TURN: true, Refusal: refusal}, diagnose.TURNRefused},
		"refused, but another server relays": {evidence{Online: true, Opened: long, Remote: true, Path: failed, Ours: relayed, TURN: true, Refusal: refusal}, diagnose.NoPair},
		"DTLS under way":                     {evidence{Online: true, Opened: long, Remote: true, Path: up, Moved: short}, diagnose.Connecting},
		"DTLS takes long":                    {evidence{Online: true, Opened: long, Remote: true, Path: up, Moved: long}, diagnose.DTLS},
		"SCTP takes long":                    {evidence{Online: true, Opened: long, Remote: true, Path: up, Moved: long, Secured: true}, diagnose.DTLS},
		"given up because of DTLS":           {evidence{Opened: short, Remote: true, Path: up, Err: errDTLS, Cause: diagnose.FailedDTLS}, diagnose.DTLS},
		"bad description":                    {evidence{Online: true, Opened: short, Err: errDescription, Cause: diagnose.BrokenRules}, diagnose.Protocol},
		"too much data":                      {evidence{Online: true, Connected: false, Err: errCredit, Cause: diagnose.BrokenRules}, diagnose.Protocol},
		"closed by the peer":                 {evidence{Online: true, WasUp: true, Opened: long, Remote: true, Path: up, Secured: true, Err: errConnection}, diagnose.Connecting},
		"closed by the peer, offline":        {evidence{WasUp: true, Opened: long, Remote: true, Path: up, Secured: true, Err: errConnection}, diagnose.HubUnreachable},
		"a restart without an answer":        {evidence{Online: true, WasUp: true, Acked: true, Opened: long, Moved: long, Remote: true, Open: true, Pending: true, Path: failed}, diagnose.Undelivered},
		"up":                                 {evidence{Connected: true}, diagnose.Connected},
		"up, a codec refused":                {evidence{Connected: true, Codecs: []string{"video/AV1"}}, diagnose.Codec},
	}
	var rows []judgedRow
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		d := c.e.Judge()
		if d.Verdict != c.want || d.Words == "" {
			t.Errorf("%s: %q (%s), want %q", name, d.Verdict, d.Words, c.want)
		}
		rows = append(rows, judgedRow{name, plainEvidence(&c.e), d.Verdict, d.Words})
	}
	text, err := json.MarshalIndent(rows, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/diagnoses.json"
	if text = append(text, '\n'); *rewriteFile {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if was, err := os.ReadFile(file); err != nil || !bytes.Equal(was, text) {
		t.Errorf("%s differs from what Judge returns (%v); if Judge is right, run this test with -rewrite", file, err)
	}
}
