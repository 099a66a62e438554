// Package call is how noom's commands join a call: the flags that say which one, and errors that name the flag to
// look at.
package call

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/cmd/noom/command"
	"noom/internal/entrance"
	"noom/signal"
	"noom/transport/auto"
)

// Call says which call to join, and as whom.
type Call struct {
	URL, Room, Name string
	URLs            []string           // further hubs of the same rooms
	Token           string             // once checked, what the variable of -token-env holds
	ICEServers      []webrtc.ICEServer // as noom.Config.ICEServers

	tokenEnv string
}

// Add adds the flags that set c. name is the nickname unless one of them gives another.
func (c *Call) Add(flags *flag.FlagSet, name string) {
	c.URL = "ws://localhost:8080/ws"
	flags.Var(&auto.URLFlag{URL: &c.URL, URLs: &c.URLs}, "url", "")
	flags.StringVar(&c.Room, "room", "demo", "")
	c.AddMember(flags, name)
}

// AddMember adds the flags of Add that do not say which call it is.
func (c *Call) AddMember(flags *flag.FlagSet, name string) {
	flags.StringVar(&c.Name, "name", name, "")
	flags.StringVar(&c.Token, "token", "", "")
	flags.StringVar(&c.tokenEnv, "token-env", "", command.VariableValue)
	flags.Func("ice", noServer, c.addICE)
}

// Check refuses what no hub would take, and reads the token. Its errors are of [command.Wrong].
func (c *Call) Check() error {
	c.Room, c.Name = signal.CleanName(c.Room), signal.CleanName(c.Name)
	if err := signal.CheckRoom(c.Room); err != nil {
		return command.Wrong("-room: %v", err)
	}
	if err := signal.CheckName(c.Name); err != nil {
		return command.Wrong("-name: %v", err)
	}
	if err := c.readToken(); err != nil {
		return err
	}
	for _, u := range append([]string{c.URL}, c.URLs...) {
		if _, err := entrance.ParseURL(u, "ws"); err != nil {
			return command.Wrong("-url %s: %v", entrance.Redacted(u), err)
		}
	}
	return nil
}

// readToken takes the token from where the flags say it is.
func (c *Call) readToken() error {
	where := "-token"
	if c.tokenEnv != "" {
		if c.Token != "" {
			return command.Wrong("-token and -token-env: choose one")
		}
		where = "-token-env " + c.tokenEnv
		var ok bool
		if c.Token, ok = os.LookupEnv(c.tokenEnv); !ok {
			return command.Wrong("%s: the environment has no such variable", where)
		}
	}
	if len(c.Token) > signal.MaxToken {
		return command.Wrong("%s: %d bytes, at most %d", where, len(c.Token), signal.MaxToken)
	}
	return nil
}

// Join enters the room, with a configuration that c completes. Its errors name the flag to look at.
func (c *Call) Join(ctx context.Context, config *noom.Config) (noom.Room, error) {
	return c.JoinBy(ctx, &auto.Dialer{URL: c.URL, URLs: c.URLs}, config)
}

// JoinBy is Join by a dialer.
func (c *Call) JoinBy(ctx context.Context, dialer noom.Dialer, config *noom.Config) (noom.Room, error) {
	config.Name, config.Token, config.ICEServers = c.Name, c.Token, c.ICEServers
	if alone() {
		config.Settings = func(s *webrtc.SettingEngine) { s.SetIncludeLoopbackCandidate(true) }
	}
	room, err := noom.Join(ctx, dialer, c.Room, config)
	if err == nil {
		return room, nil
	}
	if e, ok := errors.AsType[*noom.JoinError](err); ok {
		err = e.Err // the rest repeats the room
	}
	if errors.Is(err, noom.ErrCodec) {
		return nil, fmt.Errorf("-video or -audio: %w", err)
	}
	if e, ok := errors.AsType[*signal.Error](err); ok {
		return nil, fmt.Errorf("%s: the hub says: %w", flagFor(e.Code), err)
	}
	return nil, fmt.Errorf("-url: %w", err)
}

// flagFor returns the flag that a hub's refusal is about.
func flagFor(code signal.Code) string {
	flags := map[signal.Code]string{
		signal.CodeBadRoom: "-room", signal.CodeRoomFull: "-room", signal.CodeBadName: "-name", signal.CodeRefused: "-token",
	}
	return cmp.Or(flags[code], "-url")
}

// alone reports whether this machine has no network but itself; then others
// on it are only found on the loopback interface, which ICE leaves out.
func alone() bool {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return false
		}
	}
	return true
}

// Display is how a member is called: by name, or by the beginning of the id.
func Display(name, id string) string {
	return cmp.Or(name, id[:min(len(id), 6)])
}
