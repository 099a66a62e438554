package endurance

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noom/internal/longtest"
)

// TestRealNATs connects two homes behind real NATs of each kind, with a typical server
// between them. The call finds a path, by TURN if there is no other.
func TestRealNATs(t *testing.T) {
	longtest.Only(t)
	program := buildServer(t)
	kinds := []nat{fullCone, portRestricted, symmetric}
	for _, transport := range []string{"udp", "tcp"} {
		for _, a := range kinds {
			for _, b := range kinds {
				t.Run(fmt.Sprintf("%s to %s, TURN over %s", a.name, b.name, transport), func(t *testing.T) {
					t.Parallel() // they wait more than they work
					_, jiwoo, bob := newHomes(t, program, a, b, transport)
					strict := a == symmetric && b != fullCone || b == symmetric && a != fullCone
					pairs, _ := jiwoo.report()
					over := pairs["bob"].Path
					t.Logf("connected over %s", over)
					if relayed := strings.Contains(over, "relay"); relayed != strict {
						t.Errorf("connected over %s", over)
					}
					awaitData(t, jiwoo, bob)
				})
			}
		}
	}
}

// TestHomesAreCutOffAndMove: a call between such homes survives a partition and a new
// address, and loses no messages.
func TestHomesAreCutOffAndMove(t *testing.T) {
	longtest.Only(t)
	if testing.Short() {
		t.Skip("it waits for real timers, most of a minute")
	}
	program := buildServer(t)
	for _, kind := range []nat{portRestricted, symmetric} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel() // they wait more than they work
			l, a, b := newHomes(t, program, kind, kind, "")
			l.cut()
			<-time.After(10 * time.Second)
			l.mend()
			t.Logf("after a partition of 10 s, data flows both ways again within %v", awaitData(t, a, b))
			l.move("a", 1, 77)
			t.Logf("after a change of address, within %v", awaitData(t, a, b))
			t.Logf("%d messages, none lost, none twice", checkAllArrived(t, []*process{a, b}))
		})
	}
}

// buildServer builds examples/browser-server and returns the program.
func buildServer(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "browser-server")
	if out, err := exec.Command("go", "build", "-o", program, "noom/examples/browser-server").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// newHomes makes a lab with two homes, a and b, where 지우 and bob live and are connected. If
// they need TURN, it goes over that transport.
func newHomes(t *testing.T, program string, kindA, kindB nat, transport string) (l *lab, a, b *process) {
	t.Helper()
	l = newLab(t)
	l.addHome(1, "a", kindA)
	l.addHome(2, "b", kindB)
	startServer(t, append(l.inside("inet"), program, "-addr", serverIP+":80", "-turn", serverIP+":3478"))
	join := func(host, name string) *process {
		p := part{Role: "member", URL: "ws://" + serverIP + "/ws", Room: "데모", Name: name, TURN: transport}
		return startPart(t, p, l.inside(host)...)
	}
	a, b = join("a", "지우"), join("b", "bob")
	a.awaitConnected(1)
	b.awaitConnected(1)
	return l, a, b
}

// startServer starts a server, waits until it serves, and kills it when the test ends.
func startServer(t *testing.T, command []string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // the error says that it was killed
	})
	for lines := bufio.NewReader(output); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%v ended", command)
		}
		if strings.HasPrefix(line, "noom is at ") {
			return
		}
	}
}

// awaitData waits until both have received data that was sent after the call of awaitData,
// and returns how long that took.
func awaitData(t *testing.T, a, b *process) time.Duration {
	t.Helper()
	began := time.Now()
	other := func(p *process) tally {
		pairs, _ := p.report()
		for _, only := range pairs {
			return only
		}
		return tally{} // the peer is gone for a moment
	}
	atA, atB := other(a), other(b)
	for {
		nowA, nowB := other(a), other(b)
		if nowA.Received > atB.Sent && nowB.Received > atA.Sent {
			return time.Since(began)
		}
		if time.Since(began) > 2*patience {
			t.Fatalf("not within %v: %s has sent %d and received %d, %s %d and %d",
				2*patience, a.name, nowA.Sent, nowA.Received, b.name, nowB.Sent, nowB.Received)
		}
		<-time.After(10 * time.Millisecond)
	}
}
