package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// A meshTask is what a process of members is to do.
type meshTask struct {
	Kind    string // the contestant
	Hub     string // its hub's address
	Members int
	Media   time.Duration // how long they send once the mesh stands; 0: not at all
}

// A meshResult is what it has measured of its own process.
type meshResult struct {
	Ends       int           // of connections: two for each pair of members
	CPU, Wall  time.Duration // until the mesh stood
	Heap       int64         // bytes in use after a collection, less those before
	Goroutines int           // the same

	MediaCPU        time.Duration // of the time in which they sent
	Mallocs         int64         // the same
	Delivered       int64         // packets, the same
	Sent, Arrived   int64         // packets, with those that were still on their way
	Missing         int64         // sequence numbers that did not arrive, since the beginning
	Length          time.Duration // how long they sent
	PausedBySenders int64         // how often a sender spared a connection a track
}

// meshes are the measurements of members instead of servers.
func meshes(quick bool) []measurement {
	if quick {
		return []measurement{meshSetUp(6), meshMedia(6, 3*time.Second)}
	}
	return []measurement{meshSetUp(16), meshMedia(8, 10*time.Second), meshMedia(24, 10*time.Second)}
}

func meshSetUp(members int) measurement {
	return measurement{
		name: "mesh", subject: subjectMembers,
		columns: []string{
			fmt.Sprintf("mesh of %d: CPU ms / end", members), "wall s", "heap MB / end", "goroutines / end",
		},
		take: func(s *server) ([]float64, error) {
			r, err := runMembers(s, members, 0)
			if err != nil {
				return nil, err
			}
			ends := float64(r.Ends)
			return []float64{
				1e3 * r.CPU.Seconds() / ends, r.Wall.Seconds(), float64(r.Heap) / 1e6 / ends, float64(r.Goroutines) / ends,
			}, nil
		},
	}
}

func meshMedia(members int, length time.Duration) measurement {
	return measurement{
		name: "mesh", subject: subjectMembers,
		columns: []string{
			fmt.Sprintf("media of %d: CPU µs / packet", members), "mallocs / packet", "delivered/s", columnLost, columnUndelivered,
		},
		take: func(s *server) ([]float64, error) {
			r, err := runMembers(s, members, length)
			if err != nil {
				return nil, err
			}
			if r.PausedBySenders > 0 {
				fmt.Fprintf(os.Stderr, "%s: senders paused a track %d times; what they spared is undelivered\n", s.name, r.PausedBySenders)
			}
			packets := float64(r.Delivered)
			return []float64{
				1e6 * r.MediaCPU.Seconds() / packets, float64(r.Mallocs) / packets, packets / r.Length.Seconds(),
				float64(r.Missing), float64(r.Sent - r.Arrived),
			}, nil
		},
	}
}

// runMembers has a fresh process, on both cores, be all members of a room of s.
func runMembers(s *server, members int, length time.Duration) (meshResult, error) {
	task, err := json.Marshal(meshTask{Kind: s.name, Hub: s.addr, Members: members, Media: length})
	if err != nil {
		return meshResult{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return meshResult{}, fmt.Errorf("find this program: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*meshTimeout+2*length)
	defer cancel()
	process := exec.CommandContext(ctx, "taskset", "-c", serverCore+","+driverCore, self, "-members", string(task))
	process.Env = append(os.Environ(), "GOMAXPROCS=2")
	if s.profile != "" {
		process.Env = append(process.Env, profileVar+"="+s.profile)
	}
	process.Stderr = os.Stderr
	out, err := process.Output()
	if err != nil {
		return meshResult{}, fmt.Errorf("the members: %w", err)
	}
	var r meshResult
	return r, json.Unmarshal(out, &r)
}
