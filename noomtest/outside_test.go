package noomtest_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// module makes a module of its own in a temporary folder that requires noom
// as it is here, and returns the folder.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a module of its own: left out of a short run")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// The versions that noom itself was tested with, so that nothing has to be looked up.
	own, gomod, _ := strings.Cut(strings.TrimPrefix(read(t, filepath.Join(root, "go.mod")), "module "), "\n") // a fork has another path
	files["go.mod"] = fmt.Sprintf("module outside\n%s\nrequire %[2]s v0.0.0\nreplace %[2]s => %[3]s\n", gomod, own, root)
	files["go.sum"] = read(t, filepath.Join(root, "go.sum"))
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// goTest runs go test in dir and returns what each test printed.
func goTest(t *testing.T, dir string, args ...string) map[string]string {
	t.Helper()
	kept := t.TempDir() // for what failed tests keep
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-v"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "TMPDIR="+kept, "TMP="+kept)
	out, err := cmd.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatal(err)
	}
	printed := make(map[string]string)
	for part := range strings.SplitSeq(string(out), "=== RUN   ") {
		name, text, _ := strings.Cut(part, "\n")
		name, _, _ = strings.Cut(name, "/")
		printed[name] += text
	}
	if len(printed) < 2 {
		t.Fatalf("go test printed\n%s", out)
	}
	return printed
}

// TestOutside: what the author of a bot in another module sees if the bot or its test is wrong.
func TestOutside(t *testing.T) {
	files := make(map[string]string)
	for _, name := range []string{"bot.go", "bot_test.go"} {
		files[name] = read(t, filepath.Join("testdata", "brokenbot", name))
	}
	dir := module(t, files)
	printed := goTest(t, dir, "-noomtest.patience=3s")
	for name, want := range map[string][]string{
		"TestGreeterGreetsEverybody": {
			"late waits for noom.ChatReceived",
			`bot   → hub    chat "hello, early"`, // the transcript
			"sequenceDiagram", "participant p1 as hub", `p2->>p1: chat "hello, early"`,
			"--- FAIL",
		},
		"TestEchoEchoesAll": {
			"alice waits for noom.ChatReceived",
			"goroutines of the test never end", "outside.Echo", "bot.go:", "chan send",
			`alice → hub    chat "two"`, "sequenceDiagram", "--- FAIL",
		},
		"TestCounter": {
			"virtual time has stood still", "for a mutex", "outside.(*Counter).print", "sequenceDiagram", "--- FAIL",
		},
		"TestSeeds":        {"bad luck", "runs alone with: go test -run '^TestSeeds$' -noomtest.seed=", "the whole transcript is in", "--- FAIL"},
		"TestOwnAssertion": {"wrong sum", "lines left out", "-- now it is added up", "--- FAIL"},
		"TestOwnWait":      {"bob is connecting", `alice → hub    join "lobby"`, "sequenceDiagram", "--- FAIL"},
		"TestRoomLeftOpen": {`the room "lobby" that careless joined is still open: its code must call Leave`, "--- FAIL"},
		"TestFaultOfNothing": {
			`the fault "drop every answer from bbo to anybody" hit nothing: nothing was sent between hosts of these names; the hosts are alice, bob`,
			`"drop number 7 of answer from alice to anybody" hit nothing: only 1 such frames went by; lower Nth`,
			`"drop every grant from alice to anybody" hit nothing: what went by was`, "answer from alice to bob", "--- FAIL",
		},
		"TestNoSuchHost":      {`Cut: there is no host "alcie"; the hosts are alice`, "--- FAIL"},
		"TestNoSuchType":      {`there are no frames of type "anwser"`, "--- FAIL"},
		"TestAfterTheEnd":     {"Join after the end of the world: wait for your goroutines", "--- FAIL"},
		"TestWithoutConfig":   {`"bot" dials without a host: pass World.Config("bot") to noom.Join`, "--- FAIL"},
		"TestWaitsForEver":    {"has not ended after 1m0s of virtual time", "TestWaitsForEver.func1", "--- FAIL"},
		"TestNeedsTURN":       {"not settled after 2m0s", "alice to bob: ", "symmetric NAT need a TURN server: add noomtest.WithTURN", "--- FAIL"},
		"TestHeldForEver":     {"not settled", "frames are held by hold every answer from anybody to anybody: call Release", "--- FAIL"},
		"TestGoldenIsMissing": {"there is no testdata/none.txt yet: run this test once with -noomtest.rewrite", "--- FAIL"},
		"TestStillFine":       {"--- PASS"},
	} {
		for _, w := range want {
			if !strings.Contains(printed[name], w) {
				t.Errorf("%s does not print %q but\n%s", name, w, printed[name])
			}
		}
	}
	checkOwnAssertion(t, printed["TestOwnAssertion"])
	seed := regexp.MustCompile(`noomtest\.seed=(\d+)`).FindStringSubmatch(printed["TestSeeds"])
	if seed == nil {
		t.Fatal("no seed to replay")
	}
	again := goTest(t, dir, "-run", "^TestSeeds$", "-noomtest.seed="+seed[1])["TestSeeds"]
	if !strings.Contains(again, "bad luck") || strings.Count(again, "seed=") > 8 {
		t.Errorf("seed %s alone prints\n%s", seed[1], again)
	}
}

// checkOwnAssertion: an assertion that has nothing to do with connections is not buried in a
// transcript, which is elsewhere as a whole.
func checkOwnAssertion(t *testing.T, printed string) {
	t.Helper()
	if n := strings.Count(printed, "\n"); n > 30 || strings.Contains(printed, "sequenceDiagram") {
		t.Errorf("a failed assertion prints %d lines:\n%s", n, printed)
	}
	folder := regexp.MustCompile(`the whole transcript is in (.*)`).FindStringSubmatch(printed)
	if folder == nil {
		t.Fatalf("the rest is nowhere:\n%s", printed)
	}
	for file, want := range map[string]string{"transcript.txt": `alice → hub    join "lobby"`, "diagram.mmd": "sequenceDiagram", "transcript.jsonl": `"join`} {
		if text := read(t, filepath.Join(folder[1], file)); !strings.Contains(text, want) {
			t.Errorf("%s does not contain %q but\n%s", file, want, text)
		}
	}
}
