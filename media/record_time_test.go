package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"noom/internal/ffmpegtest"
)

// witness is a wire whose sender reports come now and then, by a clock that steps.
type witness struct {
	*wire
	latest func() (time.Time, uint32, bool)
}

func (w *witness) SenderTime(uint32) (time.Time, uint32, bool) { return w.latest() }

// testify sends reports every so often, until the test is over; from steps on by a
// clock that is off by step. Timestamps are those of what counts has.
func testify(w *wire, rate uint32, every, steps, step time.Duration) (*witness, func()) {
	start, over := time.Now(), make(chan struct{})
	var at time.Time
	var timestamp uint32
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			w.mu.Lock()
			at = time.Now()
			timestamp = w.sentTime + uint32(at.Sub(w.sentAt)*time.Duration(rate)/time.Second)
			if at.Sub(start) >= steps {
				at = at.Add(step)
			}
			w.mu.Unlock()
		}
	}()
	latest := func() (time.Time, uint32, bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return at, timestamp, !at.IsZero()
	}
	return &witness{w, latest}, func() { close(over) }
}

// standStill makes a wire's timestamps stand still while nothing is sent, from one
// time to another.
func standStill(w *wire, from, to time.Duration) {
	start := time.Now()
	var missing, last uint32
	w.lose = func(p *rtp.Packet) bool {
		timestamp := p.Timestamp
		if since := time.Since(start); since >= from && since < to {
			missing += timestamp - last
			last = timestamp
			return true
		}
		last = timestamp
		p.Timestamp -= missing
		w.mu.Lock()
		w.sentAt, w.sentTime = time.Now(), p.Timestamp
		w.mu.Unlock()
		return false
	}
}

// The microphone says nothing for two seconds and a half, and its timestamps stand still; the
// picture comes later than the sound, and the clock of both steps while they report it at different
// times. What flashes and beeps together does so in the file.
func TestRecordKeepsTime(t *testing.T) {
	video, audio := flashAndBeep(t, "20")
	for name, told := range map[string]bool{"with sender reports": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			f := create(t, "time.webm")
			synctest.Test(t, func(t *testing.T) {
				r := Record(t.Context(), f)
				picture, sound := open(t, video), open(t, audio)
				camera, microphone := newWire(t, "camera", picture), newWire(t, "microphone", sound)
				standStill(microphone, 3500*time.Millisecond, 6*time.Second)
				standStill(camera, time.Hour, time.Hour)
				if told {
					camera.delay = 250 * time.Millisecond
					eye, closeEye := testify(camera, 90000, time.Second, 7300*time.Millisecond, -1700*time.Millisecond)
					ear, closeEar := testify(microphone, 48000, 2100*time.Millisecond, 7300*time.Millisecond, -1700*time.Millisecond)
					defer closeEye()
					defer closeEar()
					r.Add(who("지우"), eye)
					r.Add(who("지우"), ear)
				} else {
					r.Add(who("지우"), camera)
					r.Add(who("지우"), microphone)
				}
				for w, s := range map[*wire]*Source{camera: picture, microphone: sound} {
					if _, err := s.Bind(w); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(18*time.Second + 500*time.Millisecond) // between a flash with its beep and the next
				if err := errors.Join(picture.Close(), sound.Close()); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
				close(camera.packets)
				close(microphone.packets)
				synctest.Wait()
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			})
			plays(t, f.Name(), "vp8", "opus")
			flashes, beeps := ffmpegtest.Flashes(t, f.Name()), ffmpegtest.Beeps(t, f.Name())
			t.Logf("flashes %v, beeps %v", flashes, beeps)
			flashes = slices.DeleteFunc(flashes, func(at time.Duration) bool {
				return at > 3400*time.Millisecond && at < 6300*time.Millisecond // with nothing to hear
			})
			inSync(t, flashes, beeps, 15)
		})
	}
}

// beeping sends the packets of a file that beeps once a second, over and over, when a
// clock shows them to be due that is off by so much, and returns how many it sent.
func beeping(t *testing.T, audio string, w *wire, lasts time.Duration, off float64) {
	t.Helper()
	r, _, err := readOgg(input{bytes.NewReader(read(t, audio)), nil})
	if err == nil {
		err = r.seek(0)
	}
	if err != nil {
		t.Fatal(err)
	}
	var packets [][]byte
	for len(packets) < 500 { // ten seconds; the end of the encoder's delay goes
		p, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, bytes.Clone(p.data))
	}
	start := time.Now()
	header := rtp.Header{Version: 2, SequenceNumber: 65000, Timestamp: 1<<32 - 960*777, PayloadType: uint8(w.codec.PayloadType), SSRC: 7}
	for i := 0; ; i++ {
		due := time.Duration(float64(i) * float64(20*time.Millisecond) * (1 + off))
		if due > lasts {
			return
		}
		time.Sleep(time.Until(start.Add(due)))
		if _, err := w.WriteRTP(&header, packets[i%len(packets)]); err != nil {
			t.Fatal(err)
		}
		header.SequenceNumber++
		header.Timestamp += 960
	}
}

// Whether the clock of the sound runs faster or slower than ours, the sound after minutes was made
// as long ago, in a file that has nothing but sound too.
func TestRecordOfAClockThatRunsOff(t *testing.T) {
	const lasts, off = 100 * time.Second, 800e-6 // 80 ms in all
	_, audio := flashAndBeep(t, "10")
	for name, sign := range map[string]float64{"slow": 1, "fast": -1} {
		ogg, webm := create(t, name+".ogg"), create(t, name+".webm")
		synctest.Test(t, func(t *testing.T) {
			alone, whole := RecordOgg(t.Context(), ogg), Record(t.Context(), webm)
			s := open(t, audio)
			first, second := newWire(t, "microphone", s), newWire(t, "microphone", s)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			alone.Add(who("지우"), first)
			whole.Add(who("지우"), second)
			for w, r := range map[*wire]*Recording{first: alone, second: whole} {
				beeping(t, audio, w, lasts, sign*off)
				close(w.packets)
				synctest.Wait()
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
		beeps := ffmpegtest.Beeps(t, ogg.Name())
		if len(beeps) < 98 {
			t.Fatalf("%s: %d beeps", name, len(beeps))
		}
		for _, at := range beeps {
			said := time.Duration(float64(at) / (1 + sign*off)) // by the sender's clock: whole seconds
			if d := said - said.Round(time.Second); d.Abs() > 40*time.Millisecond {
				t.Fatalf("%s: a beep at %v is %v off", name, at, d)
			}
		}
		times := strings.Fields(string(ffmpegtest.Tool(t, "ffprobe", "-show_entries", "packet=pts_time", "-of", "csv=p=0", webm.Name())))
		for i, text := range times {
			at, err := time.ParseDuration(strings.Trim(text, ",") + "s")
			due := time.Duration(float64(i) * float64(20*time.Millisecond) * (1 + sign*off))
			if err != nil || (at-due).Abs() > 40*time.Millisecond {
				t.Fatalf("%s: packet %d of %d is at %v, want %v: %v", name, i, len(times), at, due, err)
			}
		}
	}
}

// A picture that stands still and counts its timestamps on is where it was in an IVF
// file, and a pause of sound is silence in an Ogg file.
func TestRecordKeepsPauses(t *testing.T) {
	const from, to = 2 * time.Second, 9 * time.Second
	_, audio := flashAndBeep(t, "13")
	var ivf, ogg bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		eye, ear := RecordIVF(t.Context(), &ivf), RecordOgg(t.Context(), &ogg)
		picture, sound := open(t, "testdata/vp8.ivf"), open(t, audio)
		camera, microphone := newWire(t, "camera", picture), newWire(t, "microphone", sound)
		standStill(camera, from, to)
		standStill(microphone, from+300*time.Millisecond, to-700*time.Millisecond) // between beeps
		eye.Add(who("민수"), camera)
		ear.Add(who("민수"), microphone)
		for w, s := range map[*wire]*Source{camera: picture, microphone: sound} {
			if _, err := s.Bind(w); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(12*time.Second - time.Millisecond)
		if err := errors.Join(picture.Close(), sound.Close()); err != nil {
			t.Error(err)
		}
		close(camera.packets)
		close(microphone.packets)
		synctest.Wait()
		if err := errors.Join(eye.Close(), ear.Close()); err != nil {
			t.Fatal(err)
		}
	})
	var times []time.Duration
	for b := ivf.Bytes()[ivfHeader:]; len(b) > 0; b = b[ivfFrameHeader+binary.LittleEndian.Uint32(b):] {
		times = append(times, time.Duration(binary.LittleEndian.Uint64(b[4:]))*time.Millisecond)
	}
	every := time.Second / 15
	pause := slices.IndexFunc(times, func(at time.Duration) bool { return at > from+every })
	if pause < 25 || times[pause-1] < from-2*every || (times[pause]-to).Abs() > 2*every {
		t.Errorf("the picture pauses at %v", times)
	}
	if last := times[len(times)-1]; (last - 12*time.Second).Abs() > 2*every {
		t.Errorf("the picture ends at %v, want 12 s", last)
	}
	path := create(t, "pause.ogg")
	if _, err := path.Write(ogg.Bytes()); err != nil {
		t.Fatal(err)
	}
	plays(t, path.Name(), "opus")
	for _, at := range ffmpegtest.Beeps(t, path.Name()) {
		if d := at - at.Round(time.Second); d.Abs() > 40*time.Millisecond {
			t.Errorf("a beep at %v", at)
		}
	}
}
