// Package bot runs a bot: it enters a room and stays there, hands what happens to plain functions, and says goodbye at the
// end. The example of [Run] is a whole one.
//
// A bot that needs an order among all events, or is several members at once, is better written as a loop over
// [noom.Room].Events.
package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"noom"
	"noom/internal/uplink"
	wire "noom/signal"
	"noom/transport/auto"
)

// Config says where a bot goes, and as whom. [Flags] makes one out of flags and the environment.
type Config struct {
	// URL is the hub's, such as wss://call.example.com/ws, which [auto.Dialer] dials. Dialer, if not nil, replaces it. One
	// of the two is needed.
	URL    string
	Dialer noom.Dialer
	// URLs are further hubs that serve the same rooms, as in [auto.Dialer].
	URLs []string
	// Room is the name of the room.
	Room string
	// Join says how to join: name, token, tracks, log and all else. A bot keeps its identity for as long as it runs.
	Join noom.Config
	// KeyFile is the file with the 32 secret bytes of the bot's identity ([noom.Identity.Seed]), which is made if there is
	// none, readable for its owner alone. Empty: Join.Identity, or else a fresh one.
	KeyFile string

	// Backlog is how many chat messages of one member, and how many events for Handlers.Event, wait while their handler is
	// busy. Beyond that the oldest goes. 0: 256.
	Backlog int
	// Goodbye bounds the end of a bot: for handlers to return, half of it, and for [noom.Room].Leave, the rest. 0: 6 s.
	// Minimum: 100 ms.
	Goodbye time.Duration
	// Signals end the bot as the end of Run's ctx does; another one during the goodbye has its usual effect. Nil: none.
	// Flags sets SIGINT and SIGTERM.
	Signals []os.Signal

	flags flagSet // of Flags; nil: the program made the Config itself
}

// flagSet is what Run needs to know of the flags.
type flagSet interface {
	Parsed() bool
	Args() []string
}

// ErrBusy is inside what [Run] returns if handlers have not returned in time after their contexts had ended.
var ErrBusy = errors.New("bot: a handler has not returned; let it return when its context ends")

// Run enters the room, and calls handlers until ctx ends, one of Config.Signals comes, or a handler calls
// [noom.Room].Leave. Then it says goodbye and returns nil. What waits for a handler by then is not handled; what was sent
// and could not be delivered is logged at level Warn.
//
// If the hub cannot be reached, refuses for now (a full or locked room, too many joins), or ends the membership because
// its time is over and there is a TokenSource, Run tries again, with a new token of that: after 100 ms, doubled up to
// Config.Join.RedialMax, at random between half and all of it, and not before the hub wants. An end for good is what Run
// returns: a [*noom.JoinError] with the hub's refusal or what is wrong with config, [noom.ErrKicked],
// [noom.ErrRoomClosed], [noom.ErrReplaced] and [noom.ErrExpired]. While the hub is away in between, the room goes on
// without it.
//
// Run returns when all handlers have returned, or with [ErrBusy]. A panic in a handler ends the program.
func Run(ctx context.Context, config Config, handlers Handlers) error {
	c, err := config.withDefaults()
	if err != nil {
		return err
	}
	if len(c.Signals) > 0 {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, c.Signals...)
		defer stop()
		context.AfterFunc(ctx, stop)
	}
	pause, said := uplink.FirstRedial, ""
	for {
		lasted, err := c.visit(ctx, handlers)
		if err == nil || ctx.Err() != nil && !errors.Is(err, ErrBusy) {
			return nil
		}
		if c.isFinal(err) {
			return err
		}
		if lasted > uplink.CalmAfter {
			pause = uplink.FirstRedial
		}
		if text := err.Error(); text != said { // once, however long it lasts
			said = text
			c.Join.Logger.Warn("bot: not in the room; trying again", "room", c.Room, "error", err)
		}
		select {
		case <-time.After(max(uplink.NextPause(&pause, c.Join.RedialMax), uplink.RetryAfter(err))):
		case <-ctx.Done():
			return nil
		}
	}
}

// visit enters the room and stays until the end, of which it returns the reason; nil: the bot has left by itself.
func (c *Config) visit(ctx context.Context, handlers Handlers) (lasted time.Duration, err error) {
	var dialled atomic.Bool
	room, err := noom.Join(ctx, notingDialer{c.Dialer, &dialled}, c.Room, &c.Join)
	switch {
	case err != nil && !dialled.Load():
		return 0, &configError{err}
	case err != nil:
		return 0, err
	}
	began := time.Now()
	s := newStage(ctx, room, handlers, c)
	err = s.listen(ctx)
	if busy := s.close(c.Goodbye); busy != nil {
		err = busy
	}
	return time.Since(began), err
}

// A notingDialer notes that it was dialled.
type notingDialer struct {
	noom.Dialer

	dialled *atomic.Bool
}

// Dial implements [noom.Dialer].
func (d notingDialer) Dial(ctx context.Context) (noom.Signaler, error) {
	d.dialled.Store(true)
	return d.Dialer.Dial(ctx)
}

// Hubs implements [wire.HubsDialer]. A Room that asks for its hubs dials them.
func (d notingDialer) Hubs(room string) []wire.HubDialer {
	several, can := d.Dialer.(wire.HubsDialer)
	if !can {
		return nil
	}
	hubs := several.Hubs(room)
	if len(hubs) > 0 {
		d.dialled.Store(true)
	}
	return hubs
}

// configError is an error of Join before it has dialled, which another try would repeat.
type configError struct{ error }

func (e *configError) Unwrap() error { return e.error }

// isFinal reports whether it is pointless to enter the room again.
func (c *Config) isFinal(err error) bool {
	_, wrong := errors.AsType[*configError](err)
	switch {
	case wrong, errors.Is(err, ErrBusy), errors.Is(err, noom.ErrReplaced), errors.Is(err, noom.ErrRoomClosed):
		return true
	case errors.Is(err, noom.ErrExpired):
		return c.Join.TokenSource == nil
	}
	return uplink.IsFinal(err)
}

// withDefaults returns a checked copy with every zero filled in.
func (c Config) withDefaults() (*Config, error) {
	if c.flags != nil {
		if !c.flags.Parsed() {
			return nil, errors.New("bot: the flags were not parsed; call Parse before Run")
		}
		if args := c.flags.Args(); len(args) > 0 {
			return nil, fmt.Errorf("bot: unexpected argument %q; -help lists the flags", args[0])
		}
	}
	if c.Dialer == nil {
		if c.URL == "" && len(c.URLs) == 0 {
			return nil, errors.New("bot: there is no hub; set URL or Dialer of Config")
		}
		c.Dialer = &auto.Dialer{URL: c.URL, URLs: c.URLs}
	}
	if c.Backlog == 0 {
		c.Backlog = 256
	}
	if c.Goodbye == 0 {
		c.Goodbye = 6 * time.Second
	}
	if c.Backlog < 1 || c.Goodbye < 100*time.Millisecond {
		return nil, fmt.Errorf("bot: Backlog of Config is %d, at least 1, and Goodbye %v, at least 100ms", c.Backlog, c.Goodbye)
	}
	if c.Join.Logger == nil {
		c.Join.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Join.RedialMax == 0 {
		c.Join.RedialMax = 2 * time.Second
	}
	return &c, c.identify()
}

// identify sees to it that the bot is the same member each time that it enters the room.
func (c *Config) identify() (err error) {
	switch {
	case c.KeyFile != "":
		c.Join.Identity, err = keyFrom(c.KeyFile)
	case c.Join.Identity.ID() == "":
		c.Join.Identity = noom.NewIdentity()
	}
	return err
}

// keyFrom returns the identity in a file, and makes both if there is no such file.
func keyFrom(name string) (noom.Identity, error) {
	seed, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		fresh := noom.NewIdentity()
		return fresh, writeNew(name, fresh.Seed())
	}
	if err != nil {
		return noom.Identity{}, fmt.Errorf("bot: key: %w", err)
	}
	identity, err := noom.IdentityFromSeed(seed)
	if err != nil {
		return noom.Identity{}, fmt.Errorf("bot: key: %s: %w", name, err)
	}
	return identity, nil
}

// writeNew writes a secret into a file that is not there yet.
func writeNew(name string, secret []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("bot: key: %w", err)
	}
	_, err = file.Write(secret)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("bot: key: %w", err)
	}
	return nil
}
