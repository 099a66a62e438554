package media

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRecordATrackThatChangesItsCodec: a Matroska or MP4 file gets a further track for it, an IVF file ends there and
// says why. What MP4 does not hold is left out, and the rest is there.
func TestRecordATrackThatChangesItsCodec(t *testing.T) {
	record := func(first, then string, begin func(ctx context.Context) *Recording) (failed error) {
		synctest.Test(t, func(t *testing.T) {
			recording := begin(t.Context())
			before, after := open(t, "testdata/"+first+".ivf"), open(t, "testdata/"+then+".ivf")
			camera := newWire(t, "camera", before)
			recording.Add(who("민수"), camera)
			if _, err := before.Bind(camera); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			if err := before.Close(); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			other := newWire(t, "camera", after)
			other.codec.PayloadType++
			other.codecs[0] = other.codec
			camera.codec, camera.place, camera.offset = other.codec, other.place, 12345678 // another section: another clock
			if _, err := after.Bind(camera); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			if err := after.Close(); err != nil {
				t.Error(err)
			}
			close(camera.packets)
			synctest.Wait()
			failed = recording.Close()
		})
		return failed
	}
	for _, seekable := range []bool{true, false} {
		f := create(t, "codecs.webm")
		err := record("vp8", "vp9", func(ctx context.Context) *Recording {
			if seekable {
				return Record(ctx, f)
			}
			return Record(ctx, struct{ io.Writer }{f})
		})
		if seekable {
			if err != nil {
				t.Error(err)
			}
			plays(t, f.Name(), "vp8", "vp9")
		} else {
			if !errors.Is(err, ErrLate) {
				t.Errorf("%v, want ErrLate", err)
			}
			plays(t, f.Name(), "vp8")
		}
	}
	f := create(t, "codecs.ivf")
	if err := record("vp8", "vp9", func(ctx context.Context) *Recording { return RecordIVF(ctx, f) }); !errors.Is(err, ErrFull) {
		t.Errorf("%v, want ErrFull", err)
	}
	plays(t, f.Name(), "vp8")
	f = create(t, "codecs.mp4")
	mp4 := func(ctx context.Context) *Recording { return RecordMP4(ctx, f) }
	if err := record("vp9", "av1", mp4); err != nil {
		t.Error(err)
	}
	plays(t, f.Name(), "vp9", "av1")
	f = create(t, "refused.mp4")
	if err := record("vp8", "vp9", mp4); !errors.Is(err, ErrCodec) || !strings.Contains(err.Error(), "민수: camera: vp8 cannot be recorded here: MP4 takes ") {
		t.Errorf("%v, want ErrCodec", err)
	}
	plays(t, f.Name(), "vp9")
}
