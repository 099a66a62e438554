package bot

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pion/webrtc/v4"

	"noom/transport/auto"
)

// Flags adds the flags that say which call a bot joins, and returns the Config that they fill in when they are parsed. A
// variable of the environment is what counts without the flag:
//
//	-url         NOOM_URL         the hub; otherwise ws://localhost:8080/ws. Of several that serve the same rooms, with commas
//	                              between, or with the flag again and again, it takes one that works
//	-room        NOOM_ROOM        the room; otherwise demo
//	-name        NOOM_NAME        the nickname; otherwise the name of flags
//	-token-env                    the variable that holds the token or password for the hub; otherwise NOOM_TOKEN
//	-token-file  NOOM_TOKEN_FILE  a file with the token, read before each join, so that another program can renew it
//	-key         NOOM_KEY         the file of the identity, as Config.KeyFile
//
// A token is no flag itself, because other users of the machine could read it. The Config ends with SIGINT and SIGTERM,
// logs warnings to stderr, and lets bots find each other on a machine without a network.
func Flags(flags *flag.FlagSet) *Config {
	c := &Config{Signals: []os.Signal{os.Interrupt, syscall.SIGTERM}, flags: flags}
	c.Join.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c.Join.Settings = func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) }
	c.Join.Token = os.Getenv("NOOM_TOKEN")
	if name := os.Getenv("NOOM_TOKEN_FILE"); name != "" {
		c.readToken(name)
	}
	text := func(to *string, name, variable, otherwise, usage string) {
		flags.StringVar(to, name, cmp.Or(os.Getenv(variable), otherwise), usage+"; also "+variable)
	}
	c.URL = "ws://localhost:8080/ws"
	if hubs := os.Getenv("NOOM_URL"); hubs != "" {
		_ = (&auto.URLFlag{URL: &c.URL, URLs: &c.URLs}).Set(hubs) // one that is empty, the dial will say
	}
	flags.Var(&auto.URLFlag{URL: &c.URL, URLs: &c.URLs}, "url", "the hub, or several that serve the same rooms, with commas between; also NOOM_URL")
	text(&c.Room, "room", "NOOM_ROOM", "demo", "the room, in any language")
	text(&c.Join.Name, "name", "NOOM_NAME", filepath.Base(flags.Name()), "the nickname")
	text(&c.KeyFile, "key", "NOOM_KEY", "", "the `FILE` of the bot's identity, made if there is none; without one each start is a new member")
	flags.Func("token-env", "the environment `VARIABLE` that holds the token or password for the hub; otherwise NOOM_TOKEN", c.takeToken)
	flags.Func("token-file", "a `FILE` with the token, read before each join; also NOOM_TOKEN_FILE", func(name string) error {
		c.readToken(name)
		return nil
	})
	return c
}

// takeToken takes the token from the environment.
func (c *Config) takeToken(variable string) error {
	token, ok := os.LookupEnv(variable)
	if !ok {
		return fmt.Errorf("the environment has no %s", variable)
	}
	c.Join.Token, c.Join.TokenSource = token, nil
	return nil
}

// readToken has the token read from a file before each join.
func (c *Config) readToken(name string) {
	c.Join.TokenSource = func(context.Context) (string, error) {
		b, err := os.ReadFile(name)
		return strings.TrimSpace(string(b)), err
	}
}
