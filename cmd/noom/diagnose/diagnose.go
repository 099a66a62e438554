// Package diagnose is noom diagnose: it tries each step of a call, from the hub to the media, and says in words what
// fails, or would, and why.
package diagnose

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"noom"
	"noom/cmd/noom/call"
	"noom/cmd/noom/command"
	"noom/signal"
	"noom/transport/auto"
)

const usage = `noom diagnose tries each step of a call in a room: the hub by WebSocket and by HTTP, the
room, each STUN and TURN server, and a connection to each member. It says what fails, or
would, and why. The others see it come and go as a member.

  noom diagnose URL ROOM [flags]        such as noom diagnose wss://call.example.com/ws demo

URL may be several with commas between, of hubs that serve the same rooms. Each is tried, in
the order in which members of ROOM try them, and the room at the first that lets us in.

  -name NAME         the nickname (default diagnose)
  -token-env VAR     the token or password that the hub wants, from that variable
                     of the environment
  -token TOKEN       the same, where no other user can read this machine's
                     command lines
  -ice URL           try this STUN or TURN server instead of the hub's, such as
                     stun:host:3478 or turn:user:password@host:3478; may be
                     repeated; "none": no server
  -wait TIME         how long each step may take (default 5s)

The exit code is 0 if nothing failed, 1 if something did, 2 for wrong arguments.
`

// options are what the arguments say.
type options struct {
	call.Call

	wait time.Duration
}

// Command returns the command.
func Command() command.Command {
	return command.Command{
		Name: "noom diagnose", Summary: "say what of a call would fail, and why", Usage: usage,
		Flags: func() *flag.FlagSet { return new(options).flags() },
		Do: func(ctx context.Context, args []string, streams command.Streams) error {
			o := new(options)
			values, err := command.Parse(o.flags(), args, "URL", "ROOM")
			if err != nil {
				return err
			}
			if err := (&auto.URLFlag{URL: &o.URL, URLs: &o.URLs}).Set(values[0]); err != nil {
				return command.Wrong("URL: %v", err)
			}
			o.Room = values[1]
			if err := o.Check(); err != nil {
				return err
			}
			if o.wait <= 0 {
				return command.Wrong("-wait: %v is no time to wait", o.wait)
			}
			r := &report{progress: command.NewProgress(streams.Out)}
			o.diagnose(ctx, r)
			return r.err()
		},
	}
}

func (o *options) flags() *flag.FlagSet {
	flags := command.NewFlags()
	o.AddMember(flags, "diagnose")
	flags.DurationVar(&o.wait, "wait", 5*time.Second, "")
	return flags
}

// goodbye bounds how long leaving may take.
const goodbye = 3 * time.Second

// diagnose goes on for as long as the next step makes sense.
func (o *options) diagnose(ctx context.Context, r *report) {
	hubs := o.reachHubs(ctx, r)
	if hubs == nil {
		return
	}
	joining, cancel := context.WithTimeout(ctx, o.wait*time.Duration(len(hubs)))
	room, err := o.JoinBy(joining, hubs, &noom.Config{ConnectTimeout: max(o.wait, time.Second)})
	cancel()
	if err != nil {
		r.bad("room", "%v", err)
		return
	}
	defer func() {
		leaving, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		_ = room.Leave(leaving) // a hub that misses the goodbye will notice
	}()
	watched := hubs.joined()
	r.good("room", "%q%s, with %s in it; we may %s", room.Name(), watched.where, count(len(room.Peers()), "other member"), rights(room))
	if o.Token != "" && !watched.challenged {
		r.note("token", "the hub asks for none, and did not look at ours")
	}
	servers := serversOf(watched.servers)
	if o.ICEServers != nil {
		servers = ownServers(o.ICEServers)
	}
	r.conclude(o.tryServers(ctx, r, servers))
	o.tryPeers(ctx, r, room)
}

// rights lists what the hub lets us do.
func rights(room noom.Room) string {
	var list []string
	for _, right := range signal.AllRights() {
		if room.May(right) {
			list = append(list, string(right))
		}
	}
	return cmp.Or(strings.Join(list, ", "), "only watch")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
