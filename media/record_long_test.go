package media

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// nowhere takes everything, anywhere.
type nowhere struct{}

func (nowhere) Write(b []byte) (int, error)         { return len(b), nil }
func (nowhere) Seek(at int64, _ int) (int64, error) { return at, nil }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Two hours on the sender's clock, which runs a second off ours: memory stays
// flat, and picture and sound end where they should, together.
func TestRecordTwoHours(t *testing.T) {
	if testing.Short() {
		t.Skip("two hours of packets take a while")
	}
	const long = 2 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		r := Record(t.Context(), nowhere{})
		picture, sound := open(t, "testdata/vp8.ivf"), open(t, "testdata/opus.ogg")
		camera, microphone := newWire(t, "camera", picture), newWire(t, "microphone", sound)
		camera.clock, microphone.clock = time.Second, time.Second
		camera.delay = 80 * time.Millisecond
		var early, late uint64
		time.AfterFunc(10*time.Minute, func() { early = heap() })
		time.AfterFunc(long-time.Minute, func() { late = heap() })
		play(t, r, long, map[*wire]*Source{camera: picture, microphone: sound})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if late > early+1<<20 {
			t.Errorf("%d bytes after ten minutes, %d after two hours", early, late)
		}
		mux, ok := r.mux.(*matroska)
		if !ok || len(mux.tracks) != 2 {
			t.Fatalf("%T", r.mux)
		}
		if off := (mux.end - long).Abs(); off > 200*time.Millisecond {
			t.Errorf("it ends %v off", off)
		}
		if len(mux.index.cues) > maxCues || len(mux.index.cues) < maxCues/2-1000 {
			t.Errorf("%d places to jump to", len(mux.index.cues))
		}
	})
}
