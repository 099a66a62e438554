package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"noom"
)

const (
	residentNumber = iota // is in the room
	joinerNumber          // is measured
)

// A memberTask is what a process of one member is to do.
type memberTask struct {
	Kind   string // the contestant
	Hub    string // its hub's address
	Number int    // whether it is the resident or the joiner
}

// A joinOutcome is what the joiner has measured. LiveKit's prints the same.
type joinOutcome struct {
	First time.Duration   // from nothing to the first packet that the program read
	Steps []time.Duration // joinSteps, since the beginning; empty if nobody keeps them
}

func (o joinOutcome) milliseconds() []float64 {
	list := []float64{1e3 * o.First.Seconds()}
	for _, s := range o.Steps {
		list = append(list, 1e3*s.Seconds())
	}
	return list
}

// beMember is a resident, or a joiner that prints its outcome, until the driver closes its standard input.
func beMember(text string) error {
	var task memberTask
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		return err
	}
	join := joinMesh[task.Kind]
	if join == nil {
		return fmt.Errorf("no members %q", task.Kind)
	}
	m := &mesh{
		task:   meshTask{Hub: task.Hub, Members: joinerNumber + 1},
		stands: make(chan struct{}), failed: make(chan error, 1),
		entered: make(chan timeline, 1), begun: make(chan time.Time, 1),
	}
	for range m.task.Members {
		s, err := newSource()
		if err != nil {
			return err
		}
		m.sources = append(m.sources, s)
	}
	go m.sendFrom(task.Number)
	began := time.Now()
	go func() { m.fail(join(m, task.Number)) }()
	var err error
	if task.Number == residentNumber {
		err = m.reside()
	} else {
		err = m.arrive(began)
	}
	if err == nil {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the driver ends it
	}
	return err
}

// sendFrom has a member send for as long as anybody is patient.
func (m *mesh) sendFrom(number int) {
	if _, err := m.sources[number].send(joinTimeout); err != nil {
		m.fail(err)
	}
}

// reside prints a line when the member is in the room.
func (m *mesh) reside() error {
	select {
	case <-m.entered:
		fmt.Println("ready")
		return nil
	case err := <-m.failed:
		return err
	}
}

// arrive waits for the first packet, and prints the outcome.
func (m *mesh) arrive(began time.Time) error {
	select {
	case at := <-m.begun:
		o := joinOutcome{First: at.Sub(began)}
		if read := <-m.entered; read != nil {
			var err error
			if o.Steps, err = read.whole(); err != nil {
				return err
			}
		}
		return json.NewEncoder(os.Stdout).Encode(o)
	case err := <-m.failed:
		return err
	case <-time.After(joinTimeout):
		return errors.New("no packet came")
	}
}

// A timeline reads joinSteps, as far as they have been.
type timeline func() ([]time.Duration, error)

// whole waits a moment for the last step, which is noted beside the packet's way.
func (t timeline) whole() (steps []time.Duration, err error) {
	for range 50 {
		if steps, err = t(); err != nil || steps[len(steps)-1] != 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return steps, err
}

// timelineOf reads that of the only peer.
func timelineOf(room noom.Room) timeline {
	return func() ([]time.Duration, error) {
		peers := room.Peers()
		if len(peers) != 1 {
			return nil, fmt.Errorf("%d peers instead of 1", len(peers))
		}
		t := peers[0].Timeline()
		var steps []time.Duration
		for _, at := range []time.Time{t.Hub, t.Joined, t.Offer, t.Answer, t.Check, t.ICE, t.DTLS, t.Media} {
			since := time.Duration(0) // it has not been
			if !at.IsZero() {
				since = at.Sub(t.Began)
			}
			steps = append(steps, since)
		}
		return steps, nil
	}
}
