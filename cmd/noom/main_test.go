package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"noom/cmd/noom/command"
)

// built builds the command once for all tests of a run.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "noom")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "noom")
	if out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file)) // it is in the system's folder for what goes
	}
	os.Exit(code)
}

// noom runs the built command to its end.
func noom(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := start(t, &out, &errs, args...)
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), errs.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, out.String(), errs.String()
}

func start(t *testing.T, stdout, stderr *bytes.Buffer, args ...string) *exec.Cmd {
	t.Helper()
	file, err := built()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), file, args...) // it ends well, or with the test's process
	if stdout != nil {
		cmd.Stdout = stdout
	}
	cmd.Stderr = stderr
	if stdout == nil {
		return cmd
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// serving runs noom serve until the test ends, and returns the page's URL.
func serving(t *testing.T, flags ...string) string {
	t.Helper()
	var errs bytes.Buffer
	cmd := start(t, nil, &errs, append([]string{"serve", "-addr", "127.0.0.1:0"}, flags...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url := ""
	lines := bufio.NewScanner(out)
	for url == "" && lines.Scan() {
		url = regexp.MustCompile(`https?://[^ ,]+`).FindString(lines.Text())
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // Wait says what comes of it
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Errorf("noom serve ends with %v\n%s", err, &errs)
		}
	})
	if url == "" {
		t.Fatalf("noom serve says no address\n%s", &errs)
	}
	return url
}

// A call of the built command: one process serves, one is in a room, and both end well.
func TestServeAndJoin(t *testing.T) {
	hub := "ws" + strings.TrimPrefix(serving(t), "http") + "/ws"
	code, out, errs := noom(t, "join", "-url", hub, "-room", "데모 방", "-name", "지우", "-video", "none", "-audio", "none", "-duration", "300ms", "-json")
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	var joined struct {
		Event, Room string
		Peer        struct{ Name string }
	}
	first, _, _ := strings.Cut(out, "\n")
	if err := json.Unmarshal([]byte(first), &joined); err != nil || joined.Event != "joined" || joined.Room != "데모 방" || joined.Peer.Name != "지우" {
		t.Errorf("%+v, %v\n%s", joined, err, out)
	}
}

func TestVersion(t *testing.T) {
	code, out, errs := noom(t, "version")
	if code != 0 || errs != "" || !regexp.MustCompile(`^noom \S+.*, protocol noom\.v1, go1\S* on \w+/\w+\n$`).MatchString(out) {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
}

// What is wrong is one line that says what would be right.
func TestWrongArguments(t *testing.T) {
	for says, args := range map[string][]string{
		"noom: want serve, join, record, diagnose, token, completion or version": {},
		`noom: there is no command "방송", only serve`:                             {"방송"},
		"noom serve: there is no flag -port":                                     {"serve", "-port", "80"},
		"noom join: there is no flag -방":                                         {"join", "-방"},
		`noom join: unexpected argument "방"`:                                     {"join", "방"},
		"noom record: -duration: -1s lies in the past":                           {"record", "-duration", "-1s"},
		"noom diagnose: URL is missing":                                          {"diagnose"},
		"noom diagnose: ROOM is missing":                                         {"diagnose", "ws://x/ws"},
		"noom diagnose: -room: ":                                                 {"diagnose", "ws://x/ws", strings.Repeat("방", 43)},
		`noom diagnose: unexpected argument "extra"`:                             {"diagnose", "ws://x/ws", "방", "extra"},
		"noom token: want key, sign or check":                                    {"token"},
		"noom token sign: -key FILE or -key-env VARIABLE":                        {"token", "sign", "-room", "방"},
		"noom version: unexpected argument":                                      {"version", "방"},
		`noom completion: there is no script for "csh"`:                          {"completion", "csh"},
	} {
		code, out, errs := noom(t, args...)
		if code != 2 || out != "" || !strings.HasPrefix(errs, says) || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "-help") {
			t.Errorf("%q: exit code %d, %q, %q, want 2 and one line %q", args, code, out, errs, says)
		}
	}
}

// Each command has a help that has each of its flags, in lines that a terminal has room for.
func TestHelp(t *testing.T) {
	var walk func(c command.Command)
	walk = func(c command.Command) {
		for _, sub := range c.Subs {
			sub, _ = c.Sub(sub.Name[strings.LastIndexByte(sub.Name, ' ')+1:])
			walk(sub)
		}
		if c.Hidden {
			return
		}
		for line := range strings.Lines(c.Usage) {
			if len([]rune(line)) > 121 {
				t.Errorf("%s: a line of %d characters", c.Name, len([]rune(line)))
			}
		}
		if c.Flags != nil {
			c.Flags().VisitAll(func(f *flag.Flag) {
				if !regexp.MustCompile(`[ [|]-` + f.Name + `\b`).MatchString(c.Usage) {
					t.Errorf("the help of %s does not have -%s", c.Name, f.Name)
				}
			})
		}
		var out, errs bytes.Buffer
		args := append(strings.Fields(c.Name)[1:], "-help")
		if code := program().Run(context.Background(), args, command.Streams{Out: &out, Err: &errs}); code != 0 || out.String() != c.Usage || errs.Len() > 0 {
			t.Errorf("%s: exit code %d, %q", c.Name, code, &errs)
		}
	}
	walk(program())
	if code, out, _ := noom(t, "help", "record"); code != 0 || !strings.HasPrefix(out, "noom record writes") {
		t.Errorf("help record: exit code %d, %q", code, out)
	}
}

// What a shell gets for what was typed.
func TestComplete(t *testing.T) {
	t.Setenv("NOOM_TOKEN_방", "x")
	for typed, want := range map[string][]string{
		"":                        {"completion", "diagnose", "join", "record", "serve", "token", "version"},
		"re":                      {"record"},
		"serve -tls-":             {"-tls-cert", "-tls-key", "-tls-self-signed"},
		"serve -tls-cert ":        {command.Files},
		"serve -tls-self-signed ": nil,
		"serve -turn t":           {"tls"},
		"join -video ":            {command.Files, "none", "pattern"},
		"join -video p":           {command.Files, "pattern"},
		"join -token-env NOOM_T":  {"NOOM_TOKEN_방"},
		"join -room ":             nil,
		"token ":                  {"check", "key", "sign"},
		"token sign -r":           {"-reusable", "-rights", "-room"},
		"completion f":            {"fish"},
		"completion fish ":        nil,
		"nothing ":                nil,
		"__":                      nil,
	} {
		if got := program().Complete(strings.Split(typed, " ")); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

// The scripts work in the shells they are for.
func TestCompletionScripts(t *testing.T) {
	file, err := built()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(file)+string(os.PathListSeparator)+os.Getenv("PATH"))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "열쇠 1.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for shell, ask := range map[string]string{
		"bash": `compopt() { :; }; source <(noom completion bash)
			COMP_WORDS=(noom serve -tls-s); COMP_CWORD=2; _noom; printf '%s\n' "${COMPREPLY[@]}"
			COMP_WORDS=(noom token sign -key 열); COMP_CWORD=4; _noom; printf '%s\n' "${COMPREPLY[@]}"`,
		"zsh": `compdef() { :; }; _files() { print -l *.pem }; compadd() { shift; print -l -- "$@" }
			source <(noom completion zsh)
			words=(noom serve -tls-s); CURRENT=3; _noom
			words=(noom token sign -key 열); CURRENT=5; _noom`,
		"fish": `noom completion fish | source
			complete -C 'noom serve -tls-s'
			complete -C 'noom token sign -key 열' | string unescape`,
	} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("SKIPPED: there is no %s here", shell)
			}
			cmd := exec.CommandContext(t.Context(), shell, "-c", ask)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+dir)
			out, err := cmd.CombinedOutput()
			if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, []string{"-tls-self-signed", "열쇠", "1.pem"}) {
				t.Errorf("%v: %q", err, out)
			}
		})
	}
}
