package media

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A pretence is a track that a test pretends to receive. What it leaves out is a
// camera or microphone whose clocks are right and whose network is quick.
type pretence struct {
	member  string
	picture bool                                // 25 a second; otherwise sound, 50 packets a second
	from    time.Duration                       // when it begins
	to      time.Duration                       // 0: with the call
	silent  func(t time.Duration) bool          // nothing is sent
	counts  bool                                // timestamps count what is sent, and stand still in between
	clock   func(t time.Duration) float64       // timestamps' seconds at t
	jumps   func(t time.Duration) uint32        // added to timestamps
	delay   func(t time.Duration) time.Duration // on the way, in addition to 20 ms
	wall    func(t time.Duration) time.Duration // what the sender's clock shows, in addition to the time
	reports time.Duration                       // every so often; 0: none
	phase   time.Duration                       // when the first of them is sent
}

// event is what arrives of a track.
type event struct {
	at        time.Duration
	track     int
	number    int // of the frame; -1: a report
	timestamp uint32
	wall      time.Duration
}

var wallZero = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

const way = 20 * time.Millisecond

// events returns when which of a track's frames are made, and what arrives when.
func (p *pretence) events(track int, lasts time.Duration) (made []time.Duration, events []event) {
	every, rate := 20*time.Millisecond, 48000.0
	if p.picture {
		every, rate = 40*time.Millisecond, 90000
	}
	if p.to != 0 {
		lasts = p.to
	}
	timestamp := uint32(4294900000) // which wraps soon
	arrives := func(t time.Duration) time.Duration {
		at := t + way
		if p.delay != nil {
			at += p.delay(t)
		}
		return at
	}
	var newest uint32
	var newestAt, in, nextReport time.Duration
	nextReport = p.from + max(p.phase, 1)
	for t := p.from; t < lasts; t += every {
		for p.reports > 0 && nextReport <= t && len(made) > 0 {
			e := event{at: arrives(nextReport), track: track, number: -1, wall: nextReport}
			e.timestamp = newest + uint32((nextReport-newestAt).Seconds()*rate) // as pion does
			if p.wall != nil {
				e.wall += p.wall(nextReport)
			}
			events = append(events, e)
			nextReport += p.reports
		}
		if p.silent != nil && p.silent(t) {
			continue
		}
		seconds := t.Seconds()
		switch {
		case p.counts:
			seconds = every.Seconds() * float64(len(made))
		case p.clock != nil:
			seconds = p.clock(t)
		}
		newest, newestAt = timestamp+uint32(int64(seconds*rate+0.5)), t
		if p.jumps != nil {
			newest += p.jumps(t)
		}
		in = max(in, arrives(t)) // packets keep their order
		events = append(events, event{at: in, track: track, number: len(made), timestamp: newest})
		made = append(made, t)
	}
	return made, events
}

// put is where a frame was put, and when it was made.
type put struct{ made, at time.Duration }

// pretend plays a call into a timeline and returns where each track's frames are,
// and how far a frame came after later ones.
func pretend(t *testing.T, lasts time.Duration, tracks ...*pretence) (result [][]put, disorder time.Duration) {
	t.Helper()
	kins := make(map[string]*kin)
	lanes, streams := make([]*lane, len(tracks)), make([]*stream, len(tracks))
	made := make([][]time.Duration, len(tracks))
	waiting := make([]report, len(tracks))
	var events []event
	for i, p := range tracks {
		if kins[p.member] == nil {
			kins[p.member] = &kin{}
		}
		lanes[i] = &lane{kin: kins[p.member], sound: !p.picture, clocked: p.reports > 0, from: -time.Hour}
		streams[i] = &stream{number: i}
		lanes[i].restart(map[bool]uint32{true: 90000, false: 48000}[p.picture])
		var more []event
		made[i], more = p.events(i, lasts)
		events = append(events, more...)
	}
	slices.SortStableFunc(events, func(a, b event) int { return int(a.at - b.at) })
	result = make([][]put, len(tracks))
	var line timeline
	var newest time.Duration
	write := func(finally bool) {
		for {
			p, ok := line.next(finally)
			if !ok {
				return
			}
			i, number := p.stream.number, binary.BigEndian.Uint64(p.data[1:])
			if len(result[i]) != int(number) {
				t.Fatalf("track %d: frame %d after %d", i, number, len(result[i]))
			}
			result[i] = append(result[i], put{made[i][number], p.at})
			disorder, newest = max(disorder, newest-p.at), max(newest, p.at)
		}
	}
	for _, e := range events {
		if e.number < 0 {
			waiting[e.track] = report{wallZero.Add(e.wall), e.timestamp}
			continue
		}
		l := lanes[e.track]
		data := binary.BigEndian.AppendUint64([]byte{0xf8}, uint64(e.number)) // 20 ms of Opus
		line.take(l, picture{stream: streams[e.track], data: data}, e.timestamp, e.at, e.at)
		if r := waiting[e.track]; !r.at.IsZero() {
			l.report(r, e.at)
			waiting[e.track] = report{}
		}
		write(false)
	}
	write(true)
	for i := range tracks {
		if len(result[i]) != len(made[i]) {
			t.Errorf("track %d: %d frames of %d", i, len(result[i]), len(made[i]))
		}
	}
	return result, disorder
}

// apart returns by how much the two frames are apart that are the most: how late
// one is put after it was made, and how late another.
func apart(tracks [][]put) (most time.Duration, where string) {
	least, greatest := time.Duration(1<<62), -time.Duration(1<<62)
	var early, late string
	for i, track := range tracks {
		for _, p := range track {
			off := p.at - p.made
			text := func() string { return fmt.Sprintf("track %d at %v by %v", i, p.made, off) }
			if off < least {
				least, early = off, text()
			}
			if off > greatest {
				greatest, late = off, text()
			}
		}
	}
	return greatest - least, early + "; " + late
}

// seams counts where sound that was made in one piece is not in one: where it goes
// on more than a fiftieth faster or slower.
func seams(track []put) (n int, where []time.Duration) {
	for i := 1; i < len(track); i++ {
		made, at := track[i].made-track[i-1].made, track[i].at-track[i-1].at
		if made == 20*time.Millisecond && (at-made).Abs() > made/50 {
			n++
			where = append(where, track[i].made)
		}
	}
	return n, where
}

func ppm(n float64) func(time.Duration) float64 {
	return func(t time.Duration) float64 { return t.Seconds() * (1 + n/1e6) }
}

func between(from, to time.Duration) func(time.Duration) bool {
	return func(t time.Duration) bool { return t >= from && t < to }
}

// jitter is what a network adds: mostly a little, now and then a lot.
func jitter(seed uint64, most time.Duration) func(time.Duration) time.Duration {
	chance := rand.New(rand.NewPCG(seed, 7))
	return func(time.Duration) time.Duration {
		if chance.IntN(50) == 0 {
			return time.Duration(chance.Int64N(int64(most)))
		}
		return time.Duration(chance.Int64N(int64(most) / 8))
	}
}

// outage lets nothing through for a while, and all of it at once behind.
func outage(from, to time.Duration) func(time.Duration) time.Duration {
	return func(t time.Duration) time.Duration {
		if t >= from && t < to {
			return to - t
		}
		return 0
	}
}

// slowly lets nothing through for a while, and then half as much again as comes.
func slowly(from, lasts time.Duration) func(time.Duration) time.Duration {
	return func(t time.Duration) time.Duration {
		if t < from {
			return 0
		}
		return max(0, lasts-(t-from)/2)
	}
}

// congestion lets a queue grow to most until full and empty until gone.
func congestion(from, full, gone, most time.Duration) func(time.Duration) time.Duration {
	return func(t time.Duration) time.Duration {
		switch {
		case t < from || t >= gone:
			return 0
		case t < full:
			return time.Duration(float64(most) * float64(t-from) / float64(full-from))
		}
		return time.Duration(float64(most) * float64(gone-t) / float64(gone-full))
	}
}

func both(a, b func(time.Duration) time.Duration) func(time.Duration) time.Duration {
	return func(t time.Duration) time.Duration { return a(t) + b(t) }
}

func stepped(at, by time.Duration) func(time.Duration) time.Duration {
	return func(t time.Duration) time.Duration {
		if t < at {
			return 0
		}
		return by
	}
}

func always(d time.Duration) func(time.Duration) time.Duration {
	return func(time.Duration) time.Duration { return d }
}

// Whatever clocks, networks and sources do: what was made together is together in
// the recording, at any time of it, and sound is in one piece.
func TestTimeline(t *testing.T) {
	const second, minute, ms = time.Second, time.Minute, time.Millisecond
	other := &pretence{member: "b"}
	for name, call := range map[string]struct {
		lasts  time.Duration
		tracks []*pretence
		seams  int           // in sound, at most
		most   time.Duration // 0: 50 ms
		late   bool          // frames may come long after those of others
	}{
		"all is well": {lasts: minute, tracks: []*pretence{{member: "a"}, {member: "a", picture: true}, other}},
		"samples that count": {lasts: minute, tracks: []*pretence{
			{member: "a", counts: true, silent: between(2*second, 9*second)}, {member: "a", picture: true}, other,
		}},
		"samples that count, with reports": {lasts: minute, tracks: []*pretence{
			{member: "a", counts: true, silent: between(2*second, 9*second), reports: second},
			{member: "a", picture: true, reports: second, phase: 700 * ms},
			other,
		}},
		"samples that count, over a network": {lasts: 5 * minute, tracks: []*pretence{
			{member: "a", counts: true, silent: func(t time.Duration) bool { return t%(17*second) > 10*second }, delay: jitter(1, 80*ms), reports: 5 * second},
			{member: "a", picture: true, delay: jitter(2, 120*ms), reports: second},
			{member: "b", delay: jitter(3, 80*ms)},
		}},
		"many short stalls": {lasts: 5 * minute, tracks: []*pretence{
			{member: "a", counts: true, silent: func(t time.Duration) bool { return t%(9*second) >= 9*second-120*ms }, reports: second},
			{member: "a", picture: true, reports: second},
			other,
		}},
		"very short stalls": {lasts: 2 * minute, tracks: []*pretence{
			{member: "a", counts: true, silent: func(t time.Duration) bool { return t%(7*second) >= 7*second-20*ms }}, other,
		}},
		"a picture that stalls": {lasts: minute, tracks: []*pretence{
			{member: "a", reports: second}, {member: "a", picture: true, counts: true, silent: between(20*second, 23*second), reports: second}, other,
		}},
		"a pause at once": {lasts: minute, tracks: []*pretence{{member: "a", counts: true, silent: between(200*ms, 4*second)}, other}},
		"a minute's pause": {lasts: 3 * minute, tracks: []*pretence{
			{member: "a", counts: true, silent: between(30*second, 90*second), reports: second}, {member: "a", picture: true, reports: second}, other,
		}},
		"hours of silence": {lasts: 9 * time.Hour, tracks: []*pretence{
			{member: "a", silent: between(minute, 9*time.Hour-minute)}, {member: "b", counts: true, silent: between(2*minute, 9*time.Hour-2*minute)},
		}},
		"silence that is announced": {lasts: minute, tracks: []*pretence{
			{member: "a", silent: func(t time.Duration) bool { return t%(5*second) > 3*second && t%(400*ms) != 0 }}, {member: "a", picture: true}, other,
		}},
		"members run apart": {lasts: time.Hour, tracks: []*pretence{
			{member: "a", clock: ppm(250), delay: jitter(4, 40*ms)}, {member: "b", clock: ppm(-250), delay: jitter(5, 40*ms)}, {member: "c", picture: true, clock: ppm(500)},
		}},
		"picture and sound run apart": {lasts: time.Hour, tracks: []*pretence{
			{member: "a", clock: ppm(500), reports: 5 * second}, {member: "a", picture: true, clock: ppm(-500), reports: second}, {member: "a", clock: ppm(-100), reports: 5 * second},
		}},
		"the picture is late": {lasts: minute, tracks: []*pretence{
			{member: "a", reports: second, phase: second},
			{member: "a", picture: true, delay: both(always(300*ms), jitter(6, 60*ms)), reports: second, phase: second},
		}},
		"the sound is late": {lasts: minute, tracks: []*pretence{
			{member: "a", delay: always(400 * ms), reports: second}, {member: "a", picture: true, reports: second},
		}},
		"two sounds": {lasts: minute, tracks: []*pretence{
			{member: "a", delay: always(100 * ms), reports: second}, {member: "a", from: 5 * second, reports: second},
		}},
		"sound comes later": {lasts: minute, tracks: []*pretence{
			{member: "a", from: 10 * second, reports: second}, {member: "a", picture: true, delay: always(30 * ms), reports: second},
		}},
		"sound goes and comes": {lasts: minute, tracks: []*pretence{
			{member: "a", to: 20 * second, delay: always(200 * ms), reports: second},
			{member: "a", picture: true, reports: second},
			{member: "a", from: 40 * second, delay: always(200 * ms), reports: second},
		}},
		"the clock steps on": {lasts: minute, tracks: []*pretence{
			{member: "a", wall: stepped(20300*ms, 2600*ms), reports: 5 * second}, {member: "a", picture: true, wall: stepped(20300*ms, 2600*ms), reports: second, phase: 400 * ms},
		}},
		"the clock steps a little": {lasts: minute, tracks: []*pretence{
			{member: "a", wall: stepped(20300*ms, 400*ms), reports: 5 * second}, {member: "a", picture: true, wall: stepped(20300*ms, 400*ms), reports: second},
		}},
		"the clock steps back": {lasts: minute, tracks: []*pretence{
			{member: "a", wall: stepped(20300*ms, -time.Second), reports: second, phase: 500 * ms}, {member: "a", picture: true, wall: stepped(20300*ms, -time.Second), reports: second},
		}},
		"the clock steps between the first reports": {lasts: minute, most: 100 * ms, tracks: []*pretence{
			{member: "a", wall: stepped(1500*ms, -time.Second), reports: 5 * second, phase: second}, {member: "a", picture: true, wall: stepped(1500*ms, -time.Second), reports: second, phase: 2 * second},
		}},
		"the clock is a toy": {lasts: minute, tracks: []*pretence{
			{member: "a", wall: jitter(8, time.Hour), reports: second}, {member: "a", picture: true, wall: jitter(9, time.Hour), reports: second},
		}},
		"the clock is slewed": {lasts: 10 * minute, tracks: []*pretence{
			{member: "a", wall: func(t time.Duration) time.Duration { return t / 1000 }, reports: 5 * second},
			{member: "a", picture: true, wall: func(t time.Duration) time.Duration { return t / 1000 }, reports: second},
		}},
		"the clock stands still with the sound": {lasts: minute, tracks: []*pretence{
			{member: "a", counts: true, silent: between(20*second, 22*second), wall: stepped(22*second, -2*second), reports: second}, {member: "a", picture: true, reports: second},
		}},
		"each track has a clock of its own": {lasts: minute, tracks: []*pretence{
			{member: "a", reports: second}, {member: "a", picture: true, wall: always(time.Hour), reports: second},
		}},
		"a reported pause in a late picture": {lasts: minute, tracks: []*pretence{
			{member: "a", counts: true, silent: between(20*second, 23*second), reports: 5 * second},
			{member: "a", picture: true, delay: always(200 * ms), reports: second},
		}},
		"an outage": {lasts: minute, late: true, tracks: []*pretence{
			{member: "a", delay: outage(20*second, 27*second)}, {member: "a", picture: true, delay: outage(20*second, 27*second)}, other,
		}},
		"a slow way out of an outage": {lasts: minute, late: true, tracks: []*pretence{
			{member: "a", delay: both(slowly(20*second, 6*second), jitter(13, 40*ms))},
			{member: "a", picture: true, delay: both(slowly(20*second, 6*second), jitter(14, 40*ms))},
			other,
		}},
		"congestion": {lasts: 2 * minute, tracks: []*pretence{
			{member: "a", delay: congestion(20*second, 25*second, 32*second, 800*ms)}, {member: "a", picture: true, delay: congestion(20*second, 25*second, 32*second, 800*ms)}, other,
		}},
		"congestion from the start": {lasts: 2 * minute, most: 420 * ms, tracks: []*pretence{
			{member: "a", delay: congestion(-second, 0, 4*second, 400*ms)}, other,
		}},
		"bad jitter": {lasts: 2 * minute, tracks: []*pretence{
			{member: "a", delay: jitter(10, 400*ms), reports: second}, {member: "a", picture: true, delay: jitter(11, 600*ms), reports: second}, {member: "b", delay: jitter(12, 400*ms)},
		}},
		"timestamps begin elsewhere": {lasts: minute, tracks: []*pretence{
			{member: "a", jumps: func(t time.Duration) uint32 { return uint32(t/(10*second)) * 0x2fedcba9 }, reports: second},
			{member: "a", picture: true, jumps: func(t time.Duration) uint32 { return uint32(t/(7*second)) * 0x8fedcba9 }, reports: second},
			other,
		}},
		"timestamps jump a little": {lasts: minute, tracks: []*pretence{
			{member: "a", jumps: func(t time.Duration) uint32 { return uint32(t/(10*second)) * 48 * 700 }},
			{member: "a", picture: true},
			{member: "b", jumps: func(t time.Duration) uint32 { return -uint32(t/(10*second)) * 48 * 700 }},
		}},
		"timestamps of a picture stand still": {lasts: minute, tracks: []*pretence{
			{member: "a", picture: true, clock: func(time.Duration) float64 { return 0 }}, {member: "a"},
		}},
		"timestamps of sound stand still": {lasts: minute, tracks: []*pretence{
			{member: "a", clock: func(time.Duration) float64 { return 0 }}, {member: "b", picture: true},
		}},
		"the way gets longer": {lasts: 5 * minute, most: 90 * ms, tracks: []*pretence{
			{member: "a", delay: stepped(minute, 60*ms), reports: second}, {member: "a", picture: true, delay: stepped(minute, 60*ms), reports: second}, other,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tracks, disorder := pretend(t, call.lasts, call.tracks...)
			if disorder > time.Second && !call.late {
				t.Errorf("frames are up to %v out of order", disorder)
			}
			most, where := apart(tracks)
			t.Logf("%s: %v apart: %s", name, most, where)
			limit := call.most
			if limit == 0 {
				limit = 50 * ms
			}
			if most > limit {
				t.Errorf("%v apart, want at most %v", most, limit)
			}
			for i, track := range tracks {
				if n, at := seams(track); !call.tracks[i].picture && n > call.seams {
					t.Errorf("sound %d has %d seams, at %v", i, n, at[:min(n, 10)])
				}
			}
		})
	}
}

// anyOf returns one of them.
func anyOf[T any](chance *rand.Rand, some ...T) T { return some[chance.IntN(len(some))] }

// stalls is silent now and then.
func stalls(chance *rand.Rand, lasts time.Duration) func(time.Duration) bool {
	var from, to []time.Duration
	for at := time.Duration(0); at < lasts; {
		at += time.Duration(chance.Int64N(int64(30*time.Second))) + 3*time.Second
		from = append(from, at)
		at += anyOf(chance, 70*time.Millisecond, 300*time.Millisecond, 2*time.Second, 12*time.Second, 40*time.Second)
		to = append(to, at)
	}
	return func(t time.Duration) bool {
		i, found := slices.BinarySearch(from, t)
		return found || i > 0 && t < to[i-1]
	}
}

// Any mixture of what can go wrong is taken as well.
func TestTimelineOfAnything(t *testing.T) {
	const lasts = 3 * time.Minute
	for seed := range uint64(60) {
		chance := rand.New(rand.NewPCG(seed, 99))
		var tracks []*pretence
		var story string
		for _, member := range []string{"a", "b"} {
			wall := always(time.Duration(chance.Int64N(int64(time.Hour))))
			if chance.IntN(2) == 0 {
				story += member + "'s clock steps; "
				wall = both(wall, stepped(time.Duration(chance.Int64N(int64(lasts))), anyOf[time.Duration](chance, -3, -1, 1, 3)*time.Second-300*time.Millisecond))
			}
			out, isOut := always(0), chance.IntN(3) == 0
			if isOut {
				at := 5*time.Second + time.Duration(chance.Int64N(int64(lasts-30*time.Second)))
				out = outage(at, at+time.Duration(chance.Int64N(int64(8*time.Second))))
				story += fmt.Sprintf("%s is out at %v; ", member, at)
			}
			told := chance.IntN(3) > 0
			for _, picture := range []bool{false, true} {
				p := &pretence{member: member, picture: picture, wall: wall, phase: time.Duration(chance.Int64N(int64(time.Second)))}
				p.delay = both(out, jitter(chance.Uint64(), anyOf[time.Duration](chance, 8, 20, 40)*time.Millisecond))
				if told {
					p.reports = anyOf(chance, time.Second, 5*time.Second)
				}
				switch {
				case chance.IntN(2) == 0 && !isOut: // what stalls then is not found
					p.counts, p.silent = true, stalls(chance, lasts)
					story += fmt.Sprintf("%d stalls; ", len(tracks))
				case chance.IntN(2) == 0:
					at := time.Duration(chance.Int64N(int64(lasts)))
					p.jumps = func(t time.Duration) uint32 { return uint32(stepped(at, time.Duration(seed)*time.Second)(t)) }
					story += fmt.Sprintf("%d jumps at %v; ", len(tracks), at)
					fallthrough
				default:
					p.clock = ppm(float64(chance.IntN(1000) - 500))
				}
				tracks = append(tracks, p)
			}
		}
		placed, _ := pretend(t, lasts, tracks...)
		if most, where := apart(placed); most > 50*time.Millisecond {
			t.Errorf("seed %d: %v apart: %s; %s", seed, most, where, story)
		}
	}
}
