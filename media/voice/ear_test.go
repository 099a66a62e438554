package voice

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// TestOrder: what comes out of what comes in, and when.
func TestOrder(t *testing.T) {
	type in struct {
		at     time.Duration
		number uint16 // 0: nothing comes
		want   []int  // numbers, and -n for n that were given up
	}
	for name, course := range map[string][]in{
		"in order":             {{0, 10, []int{10}}, {20 * ms, 11, []int{11}}, {40 * ms, 12, []int{12}}},
		"around the end":       {{0, 65534, []int{65534}}, {0, 65535, []int{65535}}, {0, 1, nil}, {60 * ms, 0, []int{-1, 1}}},
		"overtaken":            {{0, 10, []int{10}}, {20 * ms, 12, nil}, {30 * ms, 11, []int{11, 12}}},
		"twice":                {{0, 10, []int{10}}, {0, 10, nil}, {0, 12, nil}, {0, 12, nil}, {ms, 11, []int{11, 12}}, {ms, 12, nil}},
		"lost":                 {{0, 10, []int{10}}, {20 * ms, 12, nil}, {79 * ms, 0, nil}, {80 * ms, 0, []int{-1, 12}}, {81 * ms, 11, nil}},
		"lost twice":           {{0, 10, []int{10}}, {20 * ms, 12, nil}, {60 * ms, 14, nil}, {80 * ms, 0, []int{-1, 12}}, {120 * ms, 0, []int{-1, 14}}},
		"another stream":       {{0, 10, []int{10}}, {20 * ms, 9000, []int{9000}}, {40 * ms, 9001, []int{9001}}},
		"another stream, back": {{0, 9000, []int{9000}}, {20 * ms, 10, []int{10}}},
	} {
		var o order
		began := time.Now()
		for i, step := range course {
			now := began.Add(step.at)
			if step.number != 0 {
				o.push(heldPacket{Packet: &rtp.Packet{Header: rtp.Header{SequenceNumber: step.number}}, came: now})
			}
			var got []int
			for {
				p, missing, ok := o.take(now)
				if !ok {
					break
				}
				if missing > 0 {
					got = append(got, -missing)
				}
				got = append(got, int(p.SequenceNumber))
			}
			if !slices.Equal(got, step.want) {
				t.Errorf("%s, %d: %v, want %v", name, i, got, step.want)
			}
		}
	}
}

// TestOrderFull: a flood behind a missing packet does not wait.
func TestOrderFull(t *testing.T) {
	var o order
	now := time.Now()
	for i := range 2*mostHeld + 2 {
		if i == 1 {
			continue
		}
		o.push(heldPacket{Packet: &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(i)}}, came: now})
		for {
			if _, _, ok := o.take(now); !ok {
				break
			}
		}
		if len(o.held) > mostHeld {
			t.Fatalf("%d are held", len(o.held))
		}
	}
	if len(o.held) != 0 {
		t.Errorf("%d are held behind one that was given up", len(o.held))
	}
}

// TestOrderAtRandom: what comes in comes out once and in order, unless it is late; nothing waits longer than it may.
func TestOrderAtRandom(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		type arrival struct {
			number uint16
			at     time.Duration
		}
		var list []arrival
		first := uint16(rng.Uint32())
		for i := range 300 {
			if rng.IntN(20) == 0 {
				continue // lost
			}
			late := time.Duration(rng.IntN(50)) * ms
			if rng.IntN(40) == 0 {
				late = time.Duration(rng.IntN(300)) * ms
			}
			list = append(list, arrival{first + uint16(i), time.Duration(i)*20*ms + late})
			if rng.IntN(20) == 0 {
				list = append(list, list[len(list)-1])
			}
		}
		slices.SortStableFunc(list, func(a, b arrival) int { return int(a.at - b.at) })
		var o order
		began := time.Now()
		out := map[uint16]int{}
		latest, count := 0, 0
		for _, a := range list {
			for { // what is due before
				due, ok := o.due()
				if !ok || due.After(began.Add(a.at)) {
					break
				}
				p, _, ok := o.take(due)
				if !ok {
					t.Fatalf("seed %d: nothing is due when it should be", seed)
				}
				out[p.SequenceNumber]++
			}
			o.push(heldPacket{Packet: &rtp.Packet{Header: rtp.Header{SequenceNumber: a.number}}, came: began.Add(a.at)})
			for {
				p, missing, ok := o.take(began.Add(a.at))
				if !ok {
					break
				}
				out[p.SequenceNumber]++
				if n := int(p.SequenceNumber - list[0].number); count > 0 && (n <= latest && missing >= 0 && n < latest-widestGap) {
					t.Fatalf("seed %d: %d after %d", seed, n, latest)
				} else {
					latest = n
				}
				count++
			}
			if len(o.held) > mostHeld+1 {
				t.Fatalf("seed %d: %d are held", seed, len(o.held))
			}
		}
		for number, n := range out {
			if n != 1 {
				t.Fatalf("seed %d: %d comes out %d times", seed, number, n)
			}
		}
		if len(out) < 240 {
			t.Fatalf("seed %d: %d of 300", seed, len(out))
		}
	}
}

// TestTurns: where turns begin and end, by what is speech in blocks of 10 ms.
func TestTurns(t *testing.T) {
	for _, c := range []struct {
		name   string
		blocks string   // s: speech, -: none, M: muted
		want   []string // first block, count, why
	}{
		{"nothing", "--------------------", nil},
		{"a click", "-----ss-------------", nil},
		{"a word", "------sss--sss------------------", []string{"3 21 silence"}},
		{"at once", "ssss-------------", []string{"0 14 silence"}},
		{"two turns", "-----ssss------------ssss--------------", []string{"2 17 silence", "19 16 silence"}},
		{"a pause", "-----ssss--------sssss--------------", []string{"2 30 silence"}},
		{"a mute", "-----sssssssM---ssss", []string{"2 10 muted", "12 7 "}},
		{"scattered", "-----s-s-s----------", []string{"2 18 silence"}},
	} {
		m := turns{preRoll: 3, endAfter: 10}
		began := time.Now()
		var got []string
		first, count := 0, 0
		note := func() {
			for _, e := range m.events {
				if e.begin {
					first, count = int(e.pcm[0]), 0
				}
				for _, v := range e.pcm {
					if int(v) != first+count {
						t.Errorf("%s: block %d, want %d", c.name, v, first+count)
					}
					count++
				}
				if e.end != 0 {
					got = append(got, fmt.Sprint(first, " ", count, " ", e.end))
				}
			}
			m.events = nil
		}
		number := 0
		for _, b := range c.blocks {
			if b == 'M' {
				m.end(EndMuted)
			} else {
				m.step([]int16{int16(number)}, b == 's', began.Add(time.Duration(number)*blockTime))
				number++
			}
			note()
		}
		if m.open {
			got = append(got, fmt.Sprint(first, " ", count, " "))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestTurnsAtRandom: turns do not overlap, have all speech that is not a click, begin with speech behind the pre-roll,
// and end with as much silence as was wanted.
func TestTurnsAtRandom(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 4))
		m := turns{preRoll: rng.IntN(25), endAfter: 10 + rng.IntN(60)}
		speech, loud := make([]bool, 3000), false
		began := time.Now()
		covered, open, last := make([]bool, len(speech)), false, -1
		for i := range speech {
			if rng.IntN(30) == 0 {
				loud = !loud
			}
			speech[i] = loud
			m.step([]int16{int16(i)}, loud, began.Add(time.Duration(i)*blockTime))
			for _, e := range m.events {
				if e.begin == open {
					t.Fatalf("seed %d: a turn begins in another, or sound comes outside", seed)
				}
				if e.begin && !e.at.Equal(began.Add(time.Duration(e.pcm[0])*blockTime)) {
					t.Fatalf("seed %d: it began at %v, not at block %d", seed, e.at.Sub(began), e.pcm[0])
				}
				open = true
				for _, v := range e.pcm {
					if int(v) <= last {
						t.Fatalf("seed %d: block %d after %d", seed, v, last)
					}
					last, covered[v] = int(v), true
				}
				if e.end == 0 {
					continue
				}
				open = false
				if silence := (i + 1) - int(e.at.Sub(began)/blockTime); silence != m.endAfter {
					t.Fatalf("seed %d: it ends after %d blocks, want %d", seed, silence, m.endAfter)
				}
			}
			m.events = nil
			if len(m.past) > m.preRoll+beginWindow {
				t.Fatalf("seed %d: %d blocks in memory", seed, len(m.past))
			}
		}
		for i := 0; i+beginBlocks < len(speech); i++ {
			if speech[i] && speech[i+1] && speech[i+2] && !covered[i] {
				t.Fatalf("seed %d: speech at %d is in no turn", seed, i)
			}
		}
	}
}

// TestVAD: speech stands out in quiet and in noise; noise, once it is known, does not.
func TestVAD(t *testing.T) {
	share := func(v VAD, pcm []int16) float64 {
		speech, all := 0, 0
		for ; len(pcm) >= 160; pcm = pcm[160:] {
			all++
			if v.Speech(Block{PCM: pcm[:160], Rate: 16000, Level: levelOf(pcm[:160])}) {
				speech++
			}
		}
		return float64(speech) / float64(all)
	}
	noise := func(size float64, lasts time.Duration) []int16 {
		rng := rand.New(rand.NewPCG(1, 1))
		pcm := make([]int16, samplesOf(lasts, 16000))
		for i := range pcm {
			pcm[i] = int16(rng.NormFloat64() * size)
		}
		return pcm
	}
	speech := speechLike(16000, 10*time.Second) // words are half of it
	if got := share(NewVAD(), speech); got < 0.35 || got > 0.65 {
		t.Errorf("in quiet %.2f of speech is speech", got)
	}
	if got := share(NewVAD(), noise(30, 10*time.Second)); got != 0 { // -61 dBov
		t.Errorf("%.2f of soft noise is speech", got)
	}
	v := NewVAD()
	share(v, noise(150, 4*time.Second)) // -47 dBov
	if got := share(v, noise(150, 10*time.Second)); got > 0.01 {
		t.Errorf("%.2f of noise is speech", got)
	}
	mixed := noise(150, 10*time.Second)
	for i := range mixed {
		mixed[i] = int16(clip16(int(mixed[i]) + int(speech[i])))
	}
	if got := share(v, mixed); got < 0.3 || got > 0.65 {
		t.Errorf("in noise %.2f of speech is speech", got)
	}
	if got := share(v, make([]int16, 16000)); got != 0 {
		t.Errorf("%.2f of silence is speech", got)
	}
	if v.Speech(Block{PCM: speech[:160], Rate: 16000, Level: silence}) {
		t.Error("what its sender calls silence is speech")
	}
}

// stream is what a member sends: packets of 20 ms, of which some are lost.
func stream(t *testing.T, codec Codec, pcm []int16) (packets []*rtp.Packet) {
	t.Helper()
	e, err := NewEncoder(codec, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	frame := samplesOf(frameTime, e.Rate())
	for i := 0; (i+1)*frame <= len(pcm); i++ {
		payload, err := e.Encode(pcm[i*frame:][:frame])
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, &rtp.Packet{
			Header: rtp.Header{
				SequenceNumber: uint16(65000 + i), SSRC: 7, Timestamp: 4294900000 + uint32(i)*formats[codec].clock/50,
			},
			Payload: slices.Clone(payload),
		})
	}
	return packets
}

func testEar(t *testing.T, o ListenOptions) *ear {
	t.Helper()
	o, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	return newEar(o)
}

// always takes everything for speech.
type always struct{}

func (always) Speech(Block) bool { return true }

// TestEarConceals: with losses a turn has its length, its place in time, and most of its sound.
func TestEarConceals(t *testing.T) {
	for _, codec := range []Codec{Opus, G722, PCMU, PCMA} {
		rate := formats[codec].rates[0]
		said := speechLike(rate, 4*time.Second)
		packets := stream(t, codec, said)
		hear := func(every int) []int16 {
			e := testEar(t, ListenOptions{VAD: func() VAD { return always{} }})
			began := time.Now()
			var pcm []int16
			var started time.Time
			for i, p := range packets {
				at := began.Add(time.Duration(i) * frameTime)
				if every > 0 && i%every == every/2 {
					continue
				}
				for { // what is due before
					due, ok := e.due()
					if !ok || due.After(at) {
						break
					}
					e.tick(due)
				}
				if err := e.packet(p, codec, unknownLevel, at); err != nil {
					t.Fatal(err)
				}
				for _, event := range e.found() {
					if event.begin {
						started = event.at
					}
					if event.end != 0 {
						t.Errorf("%s: it ends at %v", codec, at.Sub(began))
					}
					pcm = append(pcm, event.pcm...)
				}
			}
			e.stop(began.Add(5*time.Second), EndTrack)
			for _, event := range e.found() {
				pcm = append(pcm, event.pcm...)
			}
			if d := started.Sub(began.Add(-frameTime)); max(d, -d) > 5*ms { // the filter's delay
				t.Errorf("%s: it started at %v", codec, d)
			}
			return pcm
		}
		whole, holes := hear(0), hear(9)
		if d := timeOf(len(whole), 16000) - 4*time.Second; max(d, -d) > 20*ms {
			t.Errorf("%s: %v of 4 s", codec, 4*time.Second+d)
		}
		if d := len(whole) - len(holes); max(d, -d) > 160 {
			t.Errorf("%s: %d samples with losses, %d without", codec, len(holes), len(whole))
		}
		if dB, delay := ratio(whole[:len(holes)-200], holes, -5, 5); dB < 6 || delay != 0 {
			t.Errorf("%s: with losses %.1f dB at %d", codec, dB, delay)
		}
	}
}

// TestEarPauses: a sender that sends nothing while there is nothing to say ends its turns by that, its timestamps going
// on or not.
func TestEarPauses(t *testing.T) {
	for _, standing := range []bool{false, true} {
		e := testEar(t, ListenOptions{VAD: func() VAD { return always{} }})
		packets := stream(t, Opus, speechLike(24000, 2*time.Second))
		began := time.Now()
		var begins, ends []time.Duration
		note := func(at time.Time) {
			for _, event := range e.found() {
				if event.begin {
					begins = append(begins, event.at.Sub(began).Round(ms))
				}
				if event.end == EndSilence {
					ends = append(ends, at.Sub(began))
				}
			}
		}
		for i, p := range packets {
			at := began.Add(time.Duration(i+1) * frameTime)
			p := *p
			if i >= 50 { // three seconds of nothing
				at = at.Add(3 * time.Second)
				if !standing {
					p.Timestamp += 3 * 48000
				}
			}
			for {
				due, ok := e.due()
				if !ok || due.After(at) {
					break
				}
				e.tick(due)
				note(due)
			}
			if err := e.packet(&p, Opus, unknownLevel, at); err != nil {
				t.Fatal(err)
			}
			note(at)
		}
		if !slices.Equal(ends, []time.Duration{1660 * ms}) || len(begins) != 2 || begins[0] != 0 {
			t.Errorf("timestamps stand still: %v; turns begin at %v and end at %v", standing, begins, ends)
		}
		if !standing && begins[1] != 4*time.Second {
			t.Errorf("the second turn begins at %v", begins[1])
		}
	}
}

// TestEarEmpty: packets without sound, of which some senders have many, are neither waited for nor made up.
func TestEarEmpty(t *testing.T) {
	e := testEar(t, ListenOptions{VAD: func() VAD { return always{} }})
	began, heard := time.Now(), time.Duration(0)
	for i, p := range stream(t, PCMU, speechLike(8000, 2*time.Second)) {
		at := began.Add(time.Duration(i) * frameTime)
		empty := *p
		empty.Payload, empty.SequenceNumber = nil, uint16(2*i)
		p.SequenceNumber = uint16(2*i + 1)
		for _, q := range []*rtp.Packet{&empty, p} {
			if err := e.packet(q, PCMU, unknownLevel, at); err != nil {
				t.Fatal(err)
			}
		}
		for _, event := range e.found() {
			heard += timeOf(len(event.pcm), 16000)
		}
		if d := time.Duration(i+1)*frameTime - heard; i > 2 && (d < 0 || d > blockTime) {
			t.Fatalf("after %d packets %v are missing", i+1, d)
		}
	}
}

// TestEarFlooded: sound that comes faster than it is made is dropped, whatever the timestamps say.
func TestEarFlooded(t *testing.T) {
	e := testEar(t, ListenOptions{VAD: func() VAD { return always{} }})
	p := stream(t, Opus, speechLike(24000, time.Second))[20]
	now := time.Now()
	rng := rand.New(rand.NewPCG(9, 9))
	sound := 0
	for i := range 20000 { // in two seconds
		q := *p
		q.SequenceNumber = uint16(i)
		switch rng.IntN(4) {
		case 0:
			q.Timestamp = rng.Uint32()
		case 1:
			q.SSRC = rng.Uint32()
		default:
			q.Timestamp += uint32(i) * 20000
		}
		now = now.Add(100 * time.Microsecond)
		if err := e.packet(&q, Opus, unknownLevel, now); err != nil {
			t.Fatal(err)
		}
		for _, event := range e.found() {
			sound += len(event.pcm)
		}
		if len(e.order.held) > mostHeld+1 {
			t.Fatalf("%d are held", len(e.order.held))
		}
	}
	if d := timeOf(sound, 16000); d > mostCredit+4*time.Second {
		t.Errorf("%v of sound in two seconds", d)
	}
}

// FuzzEar: whatever packets say, nothing panics, and memory is bounded.
func FuzzEar(f *testing.F) {
	f.Add([]byte{0, 1, 0, 20, 1, 4, 0xff, 9, 200, 1, 2, 3})
	f.Add([]byte{1, 0, 0, 20, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 2})
	f.Fuzz(func(t *testing.T, script []byte) {
		o, err := (&ListenOptions{VAD: func() VAD { return always{} }}).complete()
		if err != nil {
			t.Fatal(err)
		}
		e := newEar(o)
		now := time.Now()
		codecs := []Codec{Opus, G722, PCMU, PCMA}
		number, timestamp := uint16(0), uint32(0)
		for len(script) >= 5 {
			b := script[:5]
			size := min(int(b[4]), len(script)-5)
			payload := script[5:][:size]
			script = script[5+size:]
			number += uint16(int8(b[0]))
			timestamp += uint32(int32(int8(b[1]))) << (b[2] % 32)
			now = now.Add(time.Duration(b[3]) * ms)
			p := &rtp.Packet{Header: rtp.Header{SequenceNumber: number, Timestamp: timestamp, SSRC: uint32(b[2] / 128)}, Payload: payload}
			if err := e.packet(p, codecs[b[2]/32%4], unknownLevel, now); err != nil {
				t.Fatal(err)
			}
			open := false
			for i, event := range e.found() {
				open = open || event.begin || i == 0
				if len(event.pcm) > 16000*12 || !open {
					t.Fatalf("%d samples", len(event.pcm))
				}
			}
			if due, ok := e.due(); ok && due.Before(now) {
				t.Fatal("something is overdue")
			}
		}
	})
}
