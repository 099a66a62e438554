// Command bench measures noom's hub against other signaling servers, and noom's members against pion's, in one
// run and interleaved, and prints Markdown tables. README.md says what is measured.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The cores: servers run on one, the driver on the other.
const (
	serverCore = "0"
	driverCore = "1"
)

func main() {
	serve := flag.String("serve", "", "internal: be the server of that name")
	listen := flag.String("listen", "127.0.0.1:0", "internal: where that server listens")
	member := flag.String("member", "", "internal: be the one member that this JSON describes")
	members := flag.String("members", "", "internal: be the members that this JSON describes")
	quick := flag.Bool("quick", false, "one round instead of five, 2,000 members instead of 10,000, meshes of 6: under two minutes")
	soak := flag.Bool("soak", false, "instead: hold 10,000 connections at 1,000 messages a second and look for lost and doubled ones")
	soakTime := flag.Duration("soak-time", 5*time.Minute, "how long -soak holds, at most an hour")
	only := flag.String("only", "", "comma-separated servers to measure: "+strings.Join(names(), ", ")+"; empty: all")
	which := flag.String("measure", "", "comma-separated measurements: relay, fanout, idle, latency, mesh, join, hubs; empty: all but join and hubs")
	profile := flag.String("profile", "", "write the CPU profile of noom's hub, or members, during the last measurement to this file")
	rounds := flag.Int("rounds", 0, "how many rounds; 0: as many as each measurement wants")
	flag.Parse()
	if err := sensible(*which, *soakTime); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}

	var err error
	switch {
	case *serve != "":
		err = beServer(*serve, *listen)
	case *members != "":
		err = beMembers(*members)
	case *member != "":
		err = beMember(*member)
	default:
		err = run(*soak, plan{
			quick: *quick, servers: *only, measurements: *which, soakTime: min(*soakTime, time.Hour), profile: *profile,
			rounds: *rounds,
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sensible says what is wrong with the arguments before minutes are spent on them.
func sensible(which string, soakTime time.Duration) error {
	var known []string
	for _, m := range measurements(false) {
		known = append(known, m.name)
	}
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q (-help lists the flags)", flag.Arg(0))
	case soakTime <= 0:
		return fmt.Errorf("-soak-time is %v, it must be above 0", soakTime)
	case which == "":
		return nil
	}
	for name := range strings.SplitSeq(which, ",") {
		if !slices.Contains(known, name) {
			return fmt.Errorf("no measurement %q; there are %s", name, strings.Join(slices.Compact(known), ", "))
		}
	}
	return nil
}

// A plan is what the flags ask for.
type plan struct {
	quick                 bool
	servers, measurements string
	soakTime              time.Duration
	profile               string
	rounds                int // 0: as many as each measurement wants
}

func run(soak bool, p plan) error {
	if err := pinDriver(); err != nil {
		return err
	}
	if soak {
		return runSoak(p.soakTime)
	}
	servers, err := choose(p.servers)
	if err != nil {
		return err
	}
	return measureAll(servers, p)
}

// pinDriver makes this process the same program on the driver's core, from its
// beginning, unless that has been done.
func pinDriver() error {
	const mark = "NOOM_BENCH_PINNED"
	if os.Getenv(mark) != "" {
		return nil
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return errors.New("it needs Linux with taskset (package util-linux)")
	}
	if runtime.NumCPU() < 2 {
		return errors.New("it needs two cores: one for the servers, one for the driver")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	command := append([]string{"taskset", "-c", driverCore, self}, os.Args[1:]...)
	return syscall.Exec(taskset, command, append(os.Environ(), mark+"=1", "GOMAXPROCS=1"))
}
