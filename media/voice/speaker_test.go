package voice

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"

	"noom"
	"noom/noomtest"
)

// tape keeps what comes of a track.
type tape struct {
	mu      sync.Mutex
	packets []*rtp.Packet
	came    []time.Time
	levels  []int
	decoder Decoder
	pcm     []int16
}

func record(t *testing.T, c Codec, rate int, track noom.RemoteTrack) *tape {
	t.Helper()
	d, err := NewDecoder(c, rate)
	if err != nil {
		t.Fatal(err)
	}
	tap := track.Tap()
	p := &tape{decoder: d}
	t.Cleanup(func() { _ = tap.Close() })
	go func() {
		for {
			packet, err := tap.ReadRTP()
			if err != nil {
				return
			}
			p.take(packet)
		}
	}()
	return p
}

func (p *tape) take(packet *rtp.Packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pcm, err := p.decoder.Decode(packet.Payload)
	if err != nil {
		panic(err)
	}
	p.packets, p.came = append(p.packets, packet), append(p.came, time.Now())
	p.pcm, p.levels = append(p.pcm, pcm...), append(p.levels, levelOf(pcm))
}

// look returns what has come so far.
func (p *tape) look() (packets []*rtp.Packet, came []time.Time, levels []int, pcm []int16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.packets, p.came, p.levels, p.pcm
}

// pair is alice, who speaks, and bob, who listens.
func pair(w *noomtest.World) (alice, bob noom.Room) {
	alice = w.Join("데모", &noom.Config{Name: "alice"})
	bob = w.Join("데모", &noom.Config{Name: "밥"})
	w.Settle()
	return alice, bob
}

func speak(t *testing.T, to Publisher, o *SpeakerOptions) *Speaker {
	t.Helper()
	s, err := NewSpeaker(t.Context(), to, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// trackOf waits for a track, in whatever order tracks come.
func trackOf(t *testing.T, r noom.Room, name string) noom.RemoteTrack {
	t.Helper()
	for range 1000 {
		for _, p := range r.Peers() {
			for _, track := range p.Tracks() {
				if track.Name() == name {
					return track
				}
			}
		}
		time.Sleep(10 * ms)
	}
	t.Fatalf("no track %s", name)
	return nil
}

// TestSpeaker: all that is written arrives, from its first word on, a packet each 20 ms.
func TestSpeaker(t *testing.T) {
	for _, o := range []SpeakerOptions{{}, {Codec: G722, Rate: 16000}, {Codec: PCMU, Rate: 8000}, {Codec: PCMA, Rate: 22050}, {Rate: 44100}} {
		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
			alice, bob := pair(w)
			s := speak(t, alice, &o)
			if n, err := s.Write(speechLike(s.Rate(), 2*time.Second)); n != 2*s.Rate() || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			rate := s.encoder.Rate()
			p := record(t, cmp.Or(o.Codec, Opus), rate, trackOf(t, bob, "voice"))
			time.Sleep(5 * time.Second)
			packets, came, _, pcm := p.look()
			r, err := NewResampler(s.Rate(), rate)
			if err != nil {
				t.Fatal(err)
			}
			said := slices.Clone(r.Process(speechLike(s.Rate(), 2*time.Second)))
			if dB, delay := ratio(said, pcm, -2000, rate/10); dB < 9 || delay < 0 || len(packets) < 120 || len(packets) > 160 {
				t.Errorf("%v: %.1f dB at %d; %d packets", o, dB, delay, len(packets))
			}
			for i := range packets[1:] {
				d, ticks := came[i+1].Sub(came[i]), packets[i+1].Timestamp-packets[i].Timestamp
				if d != frameTime || ticks != s.format.clock/50 || packets[i+1].Marker {
					t.Errorf("%v: packet %d is %v and %d ticks after the one before, marker %v", o, i+1, d, ticks, packets[i+1].Marker)
				}
			}
			if got := s.Played(); got.Written != 2*time.Second || got.Heard != got.Sent || got.Sent < 1990*ms || got.Sent > 2*time.Second {
				t.Errorf("%v: %+v", o, got)
			}
		})
	}
}

// TestFlush: whatever waits, silence is on the wire within 40 ms.
func TestFlush(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		s := speak(t, alice, nil)
		p := record(t, Opus, 24000, trackOf(t, bob, "voice"))
		for after := time.Duration(0); after < frameTime; after += 3 * ms {
			if _, err := s.Write(sine(24000, 300, 8000, 10*time.Second)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500*ms + after)
			begun, at := s.Played(), time.Now()
			dropped := s.Flush()
			time.Sleep(2 * time.Second)
			packets, came, levels, _ := p.look()
			loud := 0
			for i := range packets {
				if came[i].After(at.Add(10*ms+40*ms)) && levels[i] > -60 { // the way takes 10 ms
					loud++
				}
			}
			if loud > 0 {
				t.Errorf("%d packets with sound left 40 ms after Flush and later", loud)
			}
			now := s.Played()
			if sum := dropped + now.Sent; sum != now.Written-now.Flushed+dropped || now.Flushed < dropped || dropped < 9*time.Second || now.Sent-begun.Sent > frameTime {
				t.Errorf("dropped %v; %+v after %+v", dropped, now, begun)
			}
		}
	})
}

// TestUnderrun: sound that comes too late is preceded by silence, and not made up for.
func TestUnderrun(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		s := speak(t, alice, nil)
		p := record(t, Opus, 24000, trackOf(t, bob, "voice"))
		time.Sleep(300 * ms)
		for range 5 {
			if _, err := s.Write(sine(24000, 300, 8000, 100*ms)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * ms)
		}
		time.Sleep(5 * time.Second) // it rests
		if _, err := s.Write(sine(24000, 300, 8000, 100*ms)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		packets, came, levels, _ := p.look()
		silent, markers := 0, 0
		for i := range packets {
			if levels[i] < -60 {
				silent++
			}
			if i == 0 {
				continue
			}
			if packets[i].Marker {
				markers++
			}
			ran := time.Duration(packets[i].Timestamp-packets[i-1].Timestamp) * time.Second / 48000
			if d := came[i].Sub(came[i-1]); d < frameTime || max(d-ran, ran-d) > ms {
				t.Errorf("packet %d comes after %v, by its timestamp after %v", i, d, ran)
			}
		}
		if want := 60 + 5 + 50 + 5 + 50; len(packets) < want-1 || len(packets) > want+1 || silent < 110 || markers != 1 {
			t.Errorf("%d packets, %d of them silent, %d markers", len(packets), silent, markers)
		}
	})
}

// TestWhisper: what is said to one peer is heard by that one, at the same time as what is said to all.
func TestWhisper(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		carol := w.Join("데모", &noom.Config{Name: "carol"})
		w.Settle()
		peer, _ := alice.Peer(bob.Self().ID)
		loud, quiet := speak(t, alice, nil), speak(t, peer, &SpeakerOptions{Name: "귓속말"})
		if _, err := loud.Write(sine(24000, 300, 8000, time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := quiet.Write(sine(24000, 700, 8000, time.Second)); err != nil {
			t.Fatal(err)
		}
		both := record(t, Opus, 24000, trackOf(t, bob, "voice"))
		whisper := record(t, Opus, 24000, trackOf(t, bob, "귓속말"))
		one := record(t, Opus, 24000, trackOf(t, carol, "voice"))
		time.Sleep(3 * time.Second)
		for name, c := range map[string]struct {
			p  *tape
			hz float64
		}{"to all, at bob": {both, 300}, "to all, at carol": {one, 300}, "to bob": {whisper, 700}} {
			_, _, _, pcm := c.p.look()
			tone, rest := power(pcm[4800:19200], 24000, c.hz)
			if rest > tone/10 {
				t.Errorf("%s: %.0f of %v Hz, %.0f of others", name, tone, c.hz, rest)
			}
		}
		for _, p := range carol.Peers() {
			if p.ID() == alice.Self().ID && len(p.Tracks()) != 1 {
				t.Errorf("carol has %v", p.Tracks())
			}
		}
	})
}

// TestPlayed: what was heard is half a round trip behind what was sent.
func TestPlayed(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, _ := pair(w)
		time.Sleep(3 * time.Second) // the round trip is measured
		s := speak(t, alice, nil)
		if _, err := s.Write(sine(24000, 300, 8000, 4*time.Second)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		got := s.Played()
		if way := got.Sent - got.Heard; way < 90*ms || way > 130*ms || got.Sent < 1500*ms {
			t.Errorf("%+v: %v on its way, which takes 100 ms", got, way)
		}
		s.Flush()
		time.Sleep(time.Second)
		if now := s.Played(); now.Heard != now.Sent || now.Sent > got.Sent+frameTime {
			t.Errorf("%+v after Flush", now)
		}
	}, noomtest.WithLatency(100*ms))
}

// endless gives samples without end, and counts them.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i * 7)
	}
	e.read.Add(int64(len(b)))
	return len(b), nil
}

func TestSay(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		s := speak(t, alice, &SpeakerOptions{Rate: 16000})
		p := record(t, Opus, 16000, trackOf(t, bob, "voice"))
		begun := time.Now()
		if err := s.Say(t.Context(), bytes.NewReader(bytesOf(speechLike(16000, time.Second)))); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 960*ms || took > 1010*ms {
			t.Errorf("a second took %v", took)
		}
		time.Sleep(100 * ms)
		_, _, _, pcm := p.look()
		if dB, _ := ratio(speechLike(16000, time.Second), pcm, -100, 2000); dB < 9 {
			t.Errorf("%.1f dB", dB)
		}

		source := &endless{}
		ended := make(chan error, 2)
		go func() { ended <- s.Say(t.Context(), source) }()
		time.Sleep(time.Second)
		if read := time.Duration(source.read.Load()) * time.Second / 32000; read < time.Second || read > 1130*ms {
			t.Errorf("%v of sound read in a second", read)
		}
		s.Flush()
		if err := <-ended; !errors.Is(err, ErrFlushed) {
			t.Errorf("%v", err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 500*ms)
		defer cancel()
		if err := s.Say(ctx, &endless{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		time.Sleep(40 * ms)
		if got := s.Played(); got.Written != got.Sent+got.Flushed {
			t.Errorf("after the end of ctx something waits: %+v", got)
		}
		for range 10 { // what is said after Flush is not dropped with what was said before
			over, end := context.WithCancel(t.Context())
			go func() { ended <- s.Say(over, &endless{}) }()
			time.Sleep(100 * ms)
			end()
			s.Flush()
			if _, err := s.Write(make([]int16, 16000/10)); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil {
				t.Error("a Say without end has ended")
			}
			before := s.Played()
			time.Sleep(200 * ms)
			if now := s.Played(); now.Flushed != before.Flushed || now.Sent < before.Sent+80*ms {
				t.Errorf("%+v, and then %+v", before, now)
			}
		}
		broken := errors.New("broken")
		if err := s.Say(t.Context(), io.MultiReader(bytes.NewReader(make([]byte, 640)), failing{broken})); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
		go func() { ended <- s.Say(t.Context(), &endless{}) }()
		time.Sleep(time.Second)
		go func() { ended <- s.Say(t.Context(), &endless{}) }() // waits for the other one
		time.Sleep(time.Second)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, noom.ErrClosed) {
				t.Errorf("%v", err)
			}
		}
		if _, err := s.Write([]int16{1}); !errors.Is(err, noom.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestSpeakerAlone: while nobody listens sound waits, within its bound, and the first listener hears all of it.
func TestSpeakerAlone(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice := w.Join("데모", &noom.Config{Name: "alice"})
		s := speak(t, alice, &SpeakerOptions{Rate: 16000, Buffer: time.Second})
		time.Sleep(time.Second)
		n, err := s.Write(speechLike(16000, 3*time.Second))
		if !errors.Is(err, ErrFull) || n != 16000 {
			t.Errorf("%d samples, %v", n, err)
		}
		time.Sleep(3 * time.Second)
		if got := s.Played(); got.Sent != 0 {
			t.Errorf("%+v with nobody there", got)
		}
		bob := w.Join("데모", &noom.Config{Name: "밥"})
		p := record(t, Opus, 16000, trackOf(t, bob, "voice"))
		time.Sleep(5 * time.Second)
		_, _, _, pcm := p.look()
		if dB, delay := ratio(speechLike(16000, time.Second), pcm, -3000, 3000); dB < 8 || delay < -200 {
			t.Errorf("%.1f dB at %d of %d samples", dB, delay, len(pcm))
		}
	})
}

func TestWrongSpeakers(t *testing.T) {
	for _, o := range []SpeakerOptions{{Rate: 7999}, {Rate: 96000}, {Codec: "speex"}, {Bitrate: 1}, {Buffer: time.Millisecond}, {Buffer: time.Hour}} {
		if _, err := NewSpeaker(t.Context(), nil, &o); !errors.Is(err, ErrCodec) && !errors.Is(err, ErrRate) && !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestBrokenEncoder: what the encoder cannot do ends the speaker, and its users learn why.
func TestBrokenEncoder(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, _ := pair(w)
		s := speak(t, alice, nil)
		s.encoder.(*opusEncoder).encoder = nil
		if err := s.Say(t.Context(), &endless{}); !errors.Is(err, ErrCodec) {
			t.Errorf("%v", err)
		}
		ended := noomtest.Await[noom.SourceEnded](w, alice, nil)
		if !errors.Is(ended.Err, ErrCodec) {
			t.Errorf("%+v", ended)
		}
	})
}
