package bot

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net/http/httptest"
	"strings"
	"testing"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

func TestArguments(t *testing.T) {
	t.Setenv("NOOM_TOKEN", "비밀")
	for _, c := range []struct {
		args []string
		says string // empty: they are good
	}{
		{[]string{"-room", "데모", "-token-env", "NOOM_TOKEN"}, ""},
		{[]string{"-nope"}, "-nope"},
		{[]string{"-room"}, "-room"},
		{[]string{"-room", "a", "방"}, `unexpected argument "방"`},
		{[]string{"-token-env", "NOOM_NOTHING"}, "the environment has no NOOM_NOTHING"},
	} {
		flags, call := Flags("echo")
		var out bytes.Buffer
		err := Parse(flags, c.args, &out)
		switch {
		case out.Len() > 0:
			t.Errorf("%q: printed %q", c.args, &out)
		case c.says == "":
			if err != nil || call.Token != "비밀" || call.Room != "데모" {
				t.Errorf("%q: %v, %+v", c.args, err, call)
			}
		default:
			if _, ok := errors.AsType[*UsageError](err); !ok || !strings.HasPrefix(err.Error(), "echo: ") ||
				!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %v, want a usage error with %s", c.args, err, c.says)
			}
		}
	}
}

func TestHelp(t *testing.T) {
	flags, _ := Flags("echo")
	var out bytes.Buffer
	if err := Parse(flags, []string{"-help"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	for _, word := range []string{"-url", "-room", "-name", "-token-env VARIABLE"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("%s is not in %s", word, &out)
		}
	}
}

func TestTokenReachesTheHub(t *testing.T) {
	server := httptest.NewServer(ws.Handler(hub.New(&hub.Config{
		Authorize: hub.RoomPasswords(func(context.Context, string) (string, error) { return "비밀", nil }),
	}), nil))
	defer server.Close()
	call := Call{URL: server.URL, Room: "데모", Name: "지우", Token: "비밀"}
	room, err := call.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	room.Leave(context.Background())
	call.Token = ""
	if _, err := call.Join(t.Context()); !errors.Is(err, &signal.Error{Code: signal.CodeRefused}) {
		t.Errorf("without a password: %v", err)
	}
}
