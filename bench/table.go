package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A measurement gives numbers of one server in one round.
type measurement struct {
	name    string
	members bool     // of the server's members, not of itself
	columns []string // what each number is
	take    func(s *server) ([]float64, error)
}

// of returns what is measured at c, for the table's legend; empty: nothing.
func (m measurement) of(c contestant) string {
	if m.members {
		return c.members
	}
	return c.what
}

// The columns in which none is good, and is not the same as nothing measured.
const (
	columnLost        = "lost"
	columnUndelivered = "undelivered"
)

// measurements are those of the table. quick ones take less time and fewer members.
func measurements(quick bool) []measurement {
	warm, length, members := 700*time.Millisecond, 2*time.Second, 10_000
	if quick {
		warm, length, members = 300*time.Millisecond, time.Second, 2_000
	}
	saturated := func(load func(*server, time.Duration, time.Duration) (rate, error)) func(*server) ([]float64, error) {
		return func(s *server) ([]float64, error) {
			r, err := load(s, warm, length)
			if err != nil {
				return nil, err
			}
			return []float64{r.per100k(), 100 * r.cpu.Seconds() / r.elapsed.Seconds()}, nil
		}
	}
	timed := func(perSecond int) measurement {
		return measurement{
			name:    "latency",
			columns: []string{fmt.Sprintf("p50 ms at %d/s", perSecond), fmt.Sprintf("p99 ms at %d/s", perSecond), "delivered/s"},
			take: func(s *server) ([]float64, error) {
				l, err := latency(s, perSecond, warm, length)
				return []float64{1e3 * l.p50.Seconds(), 1e3 * l.p99.Seconds(), l.rate}, err
			},
		}
	}
	return append([]measurement{
		{name: "relay", columns: []string{"relay: CPU s / 100k", "server busy %"}, take: saturated(relay)},
		{name: "fanout", columns: []string{"fan-out: CPU s / 100k", "server busy %"}, take: saturated(fanOut)},
		{
			name:    "idle",
			columns: []string{"CPU µs / join", "KB / idle member", "KB before collection"},
			take: func(s *server) ([]float64, error) {
				i, err := idle(s, members)
				return []float64{float64(i.joinCPU.Microseconds()), i.collected, i.asIs}, err
			},
		},
		timed(2_000), timed(30_000),
	}, meshes(quick)...)
}

// chosen are the measurements that p wants.
func chosen(p plan) []measurement {
	return slices.DeleteFunc(measurements(p.quick), func(m measurement) bool {
		return p.measurements != "" && !slices.Contains(strings.Split(p.measurements, ","), m.name)
	})
}

// measureAll takes each measurement of each server, in turn, round after round,
// every time of a fresh process, and prints the medians.
func measureAll(servers []contestant, p plan) error {
	wanted := chosen(p)
	if slices.ContainsFunc(servers, func(c contestant) bool {
		return c.node != "" && slices.ContainsFunc(wanted, func(m measurement) bool { return m.of(c) != "" })
	}) {
		if err := installNode(); err != nil {
			return err
		}
	}
	rounds := 5
	if p.quick {
		rounds = 1
	}
	began := time.Now()
	var tables []string
	for _, m := range wanted {
		results := make(map[string][][]float64)
		some := slices.DeleteFunc(slices.Clone(servers), func(c contestant) bool { return m.of(c) == "" })
		for round := range rounds {
			for _, c := range some {
				numbers, err := measureOne(c, m, p.profile)
				if err != nil && !errors.Is(err, errNone) {
					return fmt.Errorf("%s of %s, round %d: %w", m.name, c.name, round+1, err)
				}
				results[c.name] = append(results[c.name], numbers)
				fmt.Fprintf(os.Stderr, "%4.0fs %s %d/%d %-9s %.3g\n", time.Since(began).Seconds(), m.name, round+1, rounds, c.name, numbers)
			}
		}
		if len(some) > 0 {
			tables = append(tables, table(m, some, results))
		}
	}
	fmt.Printf("%s, %s, %s on %s, %d round(s), %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		processor(), runtime.Version(), runtime.GOOS, rounds, time.Since(began).Round(time.Second))
	fmt.Println(strings.Join(tables, "\n"))
	return nil
}

func measureOne(c contestant, m measurement, profile string) ([]float64, error) {
	var env []string
	if c.name != "noom" {
		profile = ""
	}
	if profile != "" && !m.members {
		env = append(env, profileVar+"="+profile)
	}
	s, err := start(c, env...)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	s.profile = profile
	return m.take(s)
}

// table renders a measurement's medians, and each number's ratio to noom's.
func table(m measurement, servers []contestant, results map[string][][]float64) string {
	var b strings.Builder
	what := "server"
	if m.members {
		what = "members"
	}
	fmt.Fprintf(&b, "| %s | %s |\n|---|%s\n", what, strings.Join(m.columns, " | "), strings.Repeat("--:|", len(m.columns)))
	for _, c := range servers {
		fmt.Fprintf(&b, "| %s |", m.of(c))
		for i, column := range m.columns {
			fmt.Fprintf(&b, " %s |", cell(column, median(results[c.name], i), median(results["noom"], i)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// cell renders a number, with its ratio to noom's where less is better.
func cell(column string, v, noom float64) string {
	switch {
	case column == columnLost || column == columnUndelivered:
		return fmt.Sprintf("%.0f", v)
	case v == 0:
		return "–"
	case column == "server busy %" || column == "delivered/s":
		return fmt.Sprintf("%.0f", v)
	case noom == 0 || v == noom:
		return threeDigits(v)
	}
	return fmt.Sprintf("%s (%.2f×)", threeDigits(v), v/noom)
}

func threeDigits(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// median is that of the i-th numbers; 0 if there are none.
func median(rounds [][]float64, i int) float64 {
	var all []float64
	for _, numbers := range rounds {
		if i < len(numbers) {
			all = append(all, numbers[i])
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// processor names the machine's.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo") // unknown if it cannot be read
	name, cores := "unknown processor", 0
	for line := range strings.Lines(string(info)) {
		if model, found := strings.CutPrefix(line, "model name"); found {
			name, cores = strings.Trim(model, "\t :\n"), cores+1
		}
	}
	return fmt.Sprintf("%s, %d cores", name, cores)
}
