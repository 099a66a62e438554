package bot_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"noom"
	"noom/bot"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
	"noom/transport/ws"
)

func flagsOf(t *testing.T, args ...string) *bot.Config {
	t.Helper()
	flags := flag.NewFlagSet("/usr/bin/echo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	config := bot.Flags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return config
}

// tokenOf returns what a Config joins with.
func tokenOf(t *testing.T, c *bot.Config) string {
	t.Helper()
	if c.Join.TokenSource == nil {
		return c.Join.Token
	}
	token, err := c.Join.TokenSource(t.Context())
	if err != nil {
		t.Error(err)
	}
	return token
}

// TestFlags: a flag counts more than the environment, which counts more than what is so without both.
func TestFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("파일\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"NOOM_URL", "NOOM_ROOM", "NOOM_NAME", "NOOM_TOKEN", "NOOM_TOKEN_FILE", "NOOM_KEY"} {
		t.Setenv(v, "")
	}
	type call struct{ url, room, name, key, token string }
	check := func(what string, want call, args ...string) {
		t.Helper()
		c := flagsOf(t, args...)
		if got := (call{c.URL, c.Room, c.Join.Name, c.KeyFile, tokenOf(t, c)}); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
		if len(c.Signals) != 2 {
			t.Errorf("%s: signals %v", what, c.Signals)
		}
	}
	check("nothing", call{"ws://localhost:8080/ws", "demo", "echo", "", ""})
	t.Setenv("NOOM_URL", "wss://call.example/ws")
	t.Setenv("NOOM_ROOM", "방")
	t.Setenv("NOOM_NAME", "메아리")
	t.Setenv("NOOM_KEY", "key")
	t.Setenv("NOOM_TOKEN", "비밀")
	t.Setenv("ANOTHER", "다른 비밀")
	check("the environment", call{"wss://call.example/ws", "방", "메아리", "key", "비밀"})
	check("flags", call{"ws://b", "b", "c", "d", "다른 비밀"}, "-url", "ws://b", "-room", "b", "-name", "c", "-key", "d", "-token-env", "ANOTHER")
	t.Setenv("NOOM_TOKEN_FILE", file)
	check("a file", call{"wss://call.example/ws", "방", "메아리", "key", "파일"})
	check("a variable instead of it", call{"wss://call.example/ws", "방", "메아리", "key", "다른 비밀"}, "-token-env", "ANOTHER")
	t.Setenv("NOOM_TOKEN_FILE", "")
	t.Setenv("NOOM_URL", "wss://a.example/ws, wss://b.example/ws")
	several := func(what string, want []string, args ...string) {
		t.Helper()
		c := flagsOf(t, args...)
		if got := append([]string{c.URL}, c.URLs...); !slices.Equal(got, want) {
			t.Errorf("%s: hubs %q, want %q", what, got, want)
		}
	}
	several("hubs of the environment", []string{"wss://a.example/ws", "wss://b.example/ws"})
	several("hubs of flags", []string{"ws://a", "ws://b", "ws://나"}, "-url", "ws://a,ws://b", "-url", "ws://나")
	t.Setenv("NOOM_URL", "wss://call.example/ws")
	check("a file in a flag", call{"wss://call.example/ws", "방", "메아리", "key", "파일"}, "-token-file", file)
}

func TestWrongFlags(t *testing.T) {
	flags := flag.NewFlagSet("echo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	config := bot.Flags(flags)
	if err := bot.Run(t.Context(), *config, bot.Handlers{}); err == nil || !strings.Contains(err.Error(), "Parse") {
		t.Errorf("without Parse: %v", err)
	}
	if err := flags.Parse([]string{"-token-env", "NOOM_NOTHING"}); err == nil || !strings.Contains(err.Error(), "NOOM_NOTHING") {
		t.Errorf("a variable that is not there: %v", err)
	}
	if err := bot.Run(t.Context(), *flagsOf(t, "-room", "a", "방"), bot.Handlers{}); err == nil || !strings.Contains(err.Error(), `"방"`) {
		t.Errorf("an argument that is none: %v", err)
	}
}

// TestKeyFile: a bot that starts again is the same member, and its file is for nobody else.
func TestKeyFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "bot.key")
	var ids []string
	for range 2 {
		err := bot.Run(t.Context(), bot.Config{Dialer: mem.Dialer(hub.New(nil)), Room: "방", KeyFile: name}, bot.Handlers{
			Entered: func(ctx context.Context, room noom.Room) {
				ids = append(ids, room.Self().ID)
				_ = room.Leave(ctx)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if ids[0] != ids[1] {
		t.Errorf("it was %s, then %s", ids[0], ids[1])
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm()&0o077 != 0 || info.Size() != 32 {
		t.Errorf("%v, %v", info, err)
	}
	if err = os.WriteFile(name, bytes.Repeat([]byte{1}, 31), 0o600); err != nil {
		t.Fatal(err)
	}
	err = bot.Run(t.Context(), bot.Config{Dialer: mem.Dialer(hub.New(nil)), Room: "방", KeyFile: name}, bot.Handlers{})
	if err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("half a key: %v", err)
	}
}

// TestSignal: over a real connection, with a password, an interrupt is a goodbye.
func TestSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: a process cannot send signals to itself here")
	}
	h := hub.New(&hub.Config{
		Authorize: hub.RoomPasswords(func(context.Context, string) (string, error) { return "비밀", nil }),
	})
	server := httptest.NewServer(ws.Handler(h, nil))
	defer server.Close()
	t.Setenv("NOOM_TOKEN", "비밀")
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	err = bot.Run(t.Context(), *flagsOf(t, "-url", server.URL, "-room", "방"), bot.Handlers{
		Entered: func(context.Context, noom.Room) {
			if failed := self.Signal(os.Interrupt); failed != nil {
				t.Error(failed)
			}
		},
	})
	if err != nil || len(h.Rooms()) != 0 {
		t.Errorf("%v; open rooms: %v", err, h.Rooms())
	}
	t.Setenv("NOOM_TOKEN", "")
	err = bot.Run(t.Context(), *flagsOf(t, "-url", server.URL, "-room", "방"), bot.Handlers{})
	if !errors.Is(err, &signal.Error{Code: signal.CodeRefused}) {
		t.Errorf("without the password: %v", err)
	}
}
