package diagnose

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
	Name     string         `json:"name"`
	Evidence map[string]any `json:"evidence"` // without what is false, 0 or empty; durations in ms
	Verdict  Verdict        `json:"verdict"`
	Words    string         `json:"words"`
}

// plain returns e in the form of testdata/diagnoses.json.
func (e *Evidence) plain() map[string]any {
	kinds := func(k Kinds) []string { return slices.Sorted(maps.Keys(k)) }
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
	public := Kinds{"host": true, "srflx": true}
	relayed := Kinds{"host": true, "relay": true}
	refusal := &Refusal{Server: "turn.example.com:3478", Err: errors.New("Allocate error response (error 401: Unauthorized)")}
	const long, short = 10 * time.Second, time.Second
	cases := map[string]struct {
		e    Evidence
		want Verdict
	}{
		"nothing yet":                        {Evidence{Online: true}, Connecting},
		"no offer came":                      {Evidence{Online: true, Err: errTimeout}, NoAnswer},
		"just offered":                       {Evidence{Online: true, Opened: short, Open: true, Pending: true}, Connecting},
		"offered long ago":                   {Evidence{Online: true, Opened: long, Moved: long, Open: true, Pending: true}, Undelivered},
		"acknowledged long ago":              {Evidence{Online: true, Opened: long, Moved: long, Open: true, Acked: true}, NoAnswer},
		"offline":                            {Evidence{Opened: long, Open: true, Pending: true}, HubUnreachable},
		"offline with a path coming up":      {Evidence{Opened: short, Path: up, Moved: short, Remote: true}, Connecting},
		"the peer is lost":                   {Evidence{Online: true, Lost: true, Opened: long, Remote: true, Path: failed}, Undelivered},
		"checking":                           {Evidence{Online: true, Opened: long, Remote: true, Path: checking, Moved: short}, Connecting},
		"checking for too long":              {Evidence{Online: true, Opened: long, Remote: true, Path: checking, Moved: long}, NoPair},
		"public at both ends":                {Evidence{Online: true, Opened: long, Remote: true, Path: failed, Ours: public, Theirs: public}, RelayNeeded},
		"public here only":                   {Evidence{Online: true, Opened: long, Remote: true, Path: failed, Ours: public}, NoPair},
		"a relay was tried":                  {Evidence{Online: true, Opened: long, Remote: true, Path: failed, Ours: public, Theirs: relayed, TURN: true}, NoPair},
		"no relay was allocated":             {Evidence{Online: true, Opened: long, Remote: true, Path: failed, Ours: public, TURN: true}, TURNUnreachable},
		"refused":                            {Evidence{Online: true, Opened: long, Remote: true, Path: failed, TURN: true, Refusal: refusal}, TURNRefused},
		"refused, but another server relays": {Evidence{Online: true, Opened: long, Remote: true, Path: failed, Ours: relayed, TURN: true, Refusal: refusal}, NoPair},
		"DTLS under way":                     {Evidence{Online: true, Opened: long, Remote: true, Path: up, Moved: short}, Connecting},
		"DTLS takes long":                    {Evidence{Online: true, Opened: long, Remote: true, Path: up, Moved: long}, DTLS},
		"SCTP takes long":                    {Evidence{Online: true, Opened: long, Remote: true, Path: up, Moved: long, Secured: true}, DTLS},
		"given up because of DTLS":           {Evidence{Opened: short, Remote: true, Path: up, Err: errDTLS, Cause: FailedDTLS}, DTLS},
		"bad description":                    {Evidence{Online: true, Opened: short, Err: errDescription, Cause: BrokenRules}, Protocol},
		"too much data":                      {Evidence{Online: true, Connected: false, Err: errCredit, Cause: BrokenRules}, Protocol},
		"closed by the peer":                 {Evidence{Online: true, WasUp: true, Opened: long, Remote: true, Path: up, Secured: true, Err: errConnection}, Connecting},
		"closed by the peer, offline":        {Evidence{WasUp: true, Opened: long, Remote: true, Path: up, Secured: true, Err: errConnection}, HubUnreachable},
		"a restart without an answer":        {Evidence{Online: true, WasUp: true, Acked: true, Opened: long, Moved: long, Remote: true, Open: true, Pending: true, Path: failed}, Undelivered},
		"up":                                 {Evidence{Connected: true}, Connected},
		"up, a codec refused":                {Evidence{Connected: true, Codecs: []string{"video/AV1"}}, Codec},
	}
	var rows []judgedRow
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		d := c.e.Judge()
		if d.Verdict != c.want || d.Words == "" {
			t.Errorf("%s: %q (%s), want %q", name, d.Verdict, d.Words, c.want)
		}
		rows = append(rows, judgedRow{name, c.e.plain(), d.Verdict, d.Words})
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
