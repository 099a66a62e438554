package endurance

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"testing"
	"time"
)

var (
	kills = flag.Int("kills", 3, "how often the hub of a room of four is killed")
	joins = flag.Int("joins", 300, "how many times a member joins and leaves")

	hubKills = flag.Int("hubkills", 4, "how often one of three hubs that are one is killed")
)

// partVariable holds the part that a process plays. The tests start their own binary as
// the programs that they need.
const partVariable = "NOOM_ENDURANCE_PART"

// part says what a process does.
type part struct {
	Role string // hub, member, drink or pour

	Listen string // hub, drink, pour: HOST:PORT

	NATS []string // hub: the URLs of servers, over which it is one with others; none: it is the only hub

	URL      string        // member: the hub's
	URLs     []string      // member: in place of URL, those of hubs that are one, in the order in which it tries them
	SayEvery time.Duration // member: it says something to all so often; 0: never
	Room     string
	Name     string
	Loopback bool   // the others are on this machine, reached over the loopback interface
	TURN     string // the transport to TURN servers: udp or tcp; "": any
	Roots    string // a file of certificates to trust; "": the system's
	Publish  bool   // a picture and a tone
	Film     int    // a film of at most so many bits a second and a tone; no messages; it watches the films of others
	Small    int    // film: there is a second encoding of at most so many bits a second; 0: there is not
	Speak    bool   // as with a film, but without it
}

func TestMain(m *testing.M) {
	text, playing := os.LookupEnv(partVariable)
	if !playing {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var p part
	err := json.Unmarshal([]byte(text), &p)
	switch {
	case err != nil:
	case p.Role == "hub":
		err = playHub(ctx, p)
	case p.Role == "member":
		err = playMember(ctx, p)
	case p.Role == "drink":
		err = playDrink(ctx, p)
	case p.Role == "pour":
		err = playPour(ctx, p)
	default:
		err = fmt.Errorf("no part named %q", p.Role)
	}
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, p.Role, p.Name, err) // shown with the test's output
		os.Exit(1)
	}
}

// skipOrFail skips the test loudly, or fails it if NOOM_ENDURANCE=required.
func skipOrFail(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("NOOM_ENDURANCE") == "required" {
		t.Fatalf(format, args...)
	}
	why := fmt.Sprintf(format, args...)
	fmt.Printf("\n*** %s IS NOT RUN: %s\n\n", t.Name(), why)
	t.Skip(why)
}
