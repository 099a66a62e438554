package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

const (
	joinTimeout = time.Minute             // for a round of one contestant
	settleTime  = 1500 * time.Millisecond // for the resident, who has been there for long
)

// errSkipped is inside the error of a measurement that this machine does not allow.
var errSkipped = errors.New("skipped")

// joinSteps are those of noom.Timeline that a joiner sees, all since it began.
var joinSteps = []string{"hub", "joined", "offer", "answer", "check", "ICE", "DTLS", "media"}

// joins measures how long a newcomer takes until the first packet.
func joins(quick bool) measurement {
	rounds := 21
	if quick {
		rounds = 5
	}
	return measurement{
		name: "join", subject: subjectJoin, named: true, rounds: rounds,
		columns: []string{"first packet ms"}, spread: true, own: joinSteps, prepare: prepareJoins,
	}
}

// A joinRun is what the rounds share: three hosts, and LiveKit's programs.
type joinRun struct {
	ctx     context.Context // ends with SIGINT and SIGTERM
	release func()          // of the signals
	network *network
	livekit *livekit // nil: it cannot be had
}

func prepareJoins(contestants []contestant) (preparation, error) {
	if os.Geteuid() != 0 {
		return preparation{}, fmt.Errorf("join: %w: network namespaces need root", errSkipped)
	}
	j := &joinRun{}
	j.ctx, j.release = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if j.network, err = newNetwork(3); err != nil {
		j.release()
		return preparation{}, fmt.Errorf("join: %w: %w", errSkipped, err)
	}
	if anyUsesLiveKit(contestants) {
		if j.livekit, err = buildLiveKit(j.ctx); err != nil {
			fmt.Fprintln(os.Stderr, "join: LiveKit SKIPPED:", err)
		}
	}
	if err := j.ctx.Err(); err != nil {
		j.close()
		return preparation{}, fmt.Errorf("interrupted: %w", err)
	}
	return preparation{take: j.take, close: j.close}, nil
}

func (j *joinRun) close() {
	j.network.close()
	if j.livekit != nil {
		j.livekit.remove()
	}
	j.release()
}

// take has a resident enter a room, then a joiner, each program a fresh one at a host of its own.
func (j *joinRun) take(c contestant) ([]float64, error) {
	if c.livekit && j.livekit == nil {
		return nil, errNone
	}
	r := &joinRound{hosts: j.network.hosts}
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithTimeout(j.ctx, joinTimeout)
	defer cancel()
	defer r.stop()
	commands, err := j.commands(c, r.hosts[0].addr)
	if err != nil {
		return nil, err
	}
	server, err := r.start(0, commands.server)
	if err == nil && !c.livekit { // LiveKit's says nothing: its resident tries until it listens
		_, err = server.line()
	}
	if err == nil {
		_, err = r.first(1, commands.resident)
	}
	if err == nil {
		err = r.settle()
	}
	if err != nil {
		return nil, err
	}
	line, err := r.first(2, commands.joiner)
	if err != nil {
		return nil, err
	}
	var o joinOutcome
	if err := json.Unmarshal([]byte(line), &o); err != nil {
		return nil, fmt.Errorf("the joiner printed %q: %w", line, err)
	}
	return o.milliseconds(), nil
}

// A joinRound is one of one contestant.
type joinRound struct {
	ctx     context.Context
	hosts   []*host
	running []*program
}

func (r *joinRound) start(at int, command []string) (*program, error) {
	p, err := r.hosts[at].start(r.ctx, command...)
	if err == nil {
		r.running = append(r.running, p)
	}
	return p, err
}

// first starts a program, and waits for the first line that it prints.
func (r *joinRound) first(at int, command []string) (string, error) {
	p, err := r.start(at, command)
	if err != nil {
		return "", err
	}
	return p.line()
}

func (r *joinRound) settle() error {
	select {
	case <-time.After(settleTime):
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// stop ends the programs, the last one first.
func (r *joinRound) stop() {
	for _, p := range slices.Backward(r.running) {
		p.stop()
	}
}

// joinCommands are the programs of a contestant.
type joinCommands struct{ server, resident, joiner []string }

// commands are those for a server at addr.
func (j *joinRun) commands(c contestant, addr netip.Addr) (joinCommands, error) {
	if c.livekit {
		return j.livekit.commands(c, addr), nil
	}
	self, err := os.Executable()
	if err != nil {
		return joinCommands{}, fmt.Errorf("find this program: %w", err)
	}
	server := netip.AddrPortFrom(addr, 7000).String()
	member := func(number int) []string {
		task, err := json.Marshal(memberTask{Kind: c.name, Hub: server, Number: number})
		if err != nil {
			panic(err) // strings and a number can be marshaled
		}
		return []string{self, "-member", string(task)}
	}
	return joinCommands{
		server:   []string{self, "-serve", c.name, "-listen", server},
		resident: member(residentNumber), joiner: member(joinerNumber),
	}, nil
}
