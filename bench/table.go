package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A measurement gives numbers of one server in one round.
type measurement struct {
	name    string
	subject subject
	columns []string // what each number is
	spread  bool     // the least and the most of the first column are shown too
	own     []string // the same of numbers after those that noom alone has, in a table of their own
	take    func(s *server) ([]float64, error)
	named   bool // it is taken only if -measure names it
	rounds  int  // 0: as many as usual
	// prepare is there instead of take if the measurement starts its own programs.
	prepare func(contestants []contestant) (preparation, error)
}

// A preparation is what the rounds of a measurement need.
type preparation struct {
	take  func(c contestant) ([]float64, error)
	close func()
}

// A subject is what of a contestant is measured.
type subject int

const (
	subjectServer subject = iota
	subjectMembers
	subjectJoin
	subjectHubs
)

// of returns what is measured at c, for the table's legend; empty: nothing.
func (m measurement) of(c contestant) string {
	switch m.subject {
	case subjectMembers:
		return c.members
	case subjectJoin:
		return c.joins
	case subjectHubs:
		return c.hubs
	default:
		return c.what
	}
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
		{
			name: "hubs", subject: subjectHubs, named: true,
			columns: []string{"relay: CPU s / 100k", "server busy %", "join p50 ms"},
			take: func(s *server) ([]float64, error) {
				join, err := joinLatency(s)
				if err != nil {
					return nil, err
				}
				r, err := saturated(relay)(s)
				return append(r, 1e3*join.Seconds()), err
			},
		},
	}, append(meshes(quick), joins(quick))...)
}

// chosen are the measurements that p wants.
func chosen(p plan) []measurement {
	return slices.DeleteFunc(measurements(p.quick), func(m measurement) bool {
		if p.measurements == "" {
			return m.named
		}
		return !slices.Contains(strings.Split(p.measurements, ","), m.name)
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
	r := &report{plan: p, began: time.Now()}
	for _, m := range wanted {
		if err := r.measure(m, servers); errors.Is(err, errSkipped) {
			fmt.Fprintln(os.Stderr, "bench:", err)
			r.parts = append(r.parts, err.Error()+"\n")
		} else if err != nil {
			return err
		}
	}
	fmt.Printf("%s, %s, %s on %s, %s round(s), %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		processor(), runtime.Version(), runtime.GOOS, cmp.Or(strings.Join(slices.Compact(r.rounds), " or "), "no"), time.Since(r.began).Round(time.Second))
	fmt.Println(strings.Join(r.parts, "\n"))
	return nil
}

// A report is what has been measured.
type report struct {
	plan   plan
	began  time.Time
	rounds []string // how many, of each measurement
	parts  []string // tables, and why there is none
}

// measure takes all rounds of a measurement.
func (r *report) measure(m measurement, servers []contestant) error {
	some := slices.DeleteFunc(slices.Clone(servers), func(c contestant) bool { return m.of(c) == "" })
	if len(some) == 0 {
		return nil
	}
	take := func(c contestant) ([]float64, error) { return measureOne(c, m, r.plan.profile) }
	if m.prepare != nil {
		prepared, err := m.prepare(some)
		if err != nil {
			return err
		}
		defer prepared.close()
		take = prepared.take
	}
	rounds := r.plan.roundsOf(m)
	r.rounds = append(r.rounds, strconv.Itoa(rounds))
	results := make(map[string][][]float64)
	for round := range rounds {
		for _, c := range some {
			numbers, err := take(c)
			if err != nil && !errors.Is(err, errNone) {
				return fmt.Errorf("%s of %s, round %d: %w", m.name, c.name, round+1, err)
			}
			results[c.name] = append(results[c.name], numbers)
			fmt.Fprintf(os.Stderr, "%4.0fs %s %d/%d %-9s %.3g\n", time.Since(r.began).Seconds(), m.name, round+1, rounds, c.name, numbers)
		}
	}
	r.parts = append(r.parts, table(m, some, results))
	if steps := results["noom"]; len(m.own) > 0 && len(steps) > 0 {
		r.parts = append(r.parts, ownTable(m, steps))
	}
	return nil
}

// roundsOf is how often m is taken.
func (p plan) roundsOf(m measurement) int {
	switch {
	case p.rounds > 0:
		return p.rounds
	case m.rounds > 0:
		return m.rounds
	case p.quick:
		return 1
	default:
		return 5
	}
}

func measureOne(c contestant, m measurement, profile string) ([]float64, error) {
	var env []string
	if !strings.HasPrefix(c.name, "noom") {
		profile = ""
	}
	if profile != "" && (m.subject == subjectServer || m.subject == subjectHubs) {
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
	if m.subject != subjectServer {
		what = "members"
	}
	columns := m.columns
	if m.spread {
		columns = append(slices.Clone(columns), "least", "most")
	}
	fmt.Fprintf(&b, "| %s | %s |\n|---|%s\n", what, strings.Join(columns, " | "), strings.Repeat("--:|", len(columns)))
	for _, c := range servers {
		fmt.Fprintf(&b, "| %s |", m.of(c))
		for i, column := range m.columns {
			fmt.Fprintf(&b, " %s |", cell(column, median(results[c.name], i), median(results["noom"], i)))
		}
		if m.spread {
			b.WriteString(spreadCells(results[c.name]))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// spreadCells are the least and the most of the first numbers.
func spreadCells(rounds [][]float64) string {
	var all []float64
	for _, numbers := range rounds {
		all = append(all, numbers[:min(1, len(numbers))]...)
	}
	if len(all) == 0 {
		return " – | – |"
	}
	return fmt.Sprintf(" %s | %s |", threeDigits(slices.Min(all)), threeDigits(slices.Max(all)))
}

// ownTable renders the medians of what noom alone has.
func ownTable(m measurement, rounds [][]float64) string {
	cells := make([]string, len(m.own))
	for i := range m.own {
		cells[i] = cell(m.own[i], median(rounds, len(m.columns)+i), 0)
	}
	return fmt.Sprintf("| %s |\n|%s\n| %s |\n",
		strings.Join(m.own, " | "), strings.Repeat("--:|", len(m.own)), strings.Join(cells, " | "))
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
