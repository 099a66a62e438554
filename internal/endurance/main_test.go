package endurance

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"testing"
)

var (
	kills = flag.Int("kills", 3, "how often the hub is killed under a room of four")
	joins = flag.Int("joins", 300, "how many times somebody joins and leaves")
)

// partVariable holds the part that a process of this binary is to play; the
// binary of the tests is also the programs that they start.
const partVariable = "NOOM_ENDURANCE_PART"

// part says what a process is to do.
type part struct {
	Role string // hub or member

	Listen string // hub: HOST:PORT

	URL      string // member: the hub's
	Room     string
	Name     string
	Loopback bool   // the others are on this machine, found on the loopback interface
	TURN     string // if not "", the transport to TURN servers: udp or tcp
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
	default:
		err = fmt.Errorf("no part called %q", p.Role)
	}
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, p.Role, p.Name, err) // nobody to tell but the test's reader
		os.Exit(1)
	}
}

// unable skips the test loudly, or fails it where nothing may be lacking.
func unable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("NOOM_ENDURANCE") == "required" {
		t.Fatalf(format, args...)
	}
	why := fmt.Sprintf(format, args...)
	fmt.Printf("\n*** %s IS NOT RUN: %s\n\n", t.Name(), why)
	t.Skip(why)
}
