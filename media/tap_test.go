package media_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/media"
	"noom/noomtest"
)

// In a real call one track is recorded with the room, recorded alone, listened to and read by the
// program: none misses what another has had.
func TestReadersOfOneTrack(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		bot := w.Join("회의", &noom.Config{Name: "서기"})
		jiwoo := w.Join("회의", &noom.Config{Name: "지우"})
		path := filepath.Join(t.TempDir(), "회의.webm")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		var alone bytes.Buffer
		whole := media.RecordRoom(t.Context(), file, bot)
		tone := media.Tone()
		if _, err = jiwoo.Publish(t.Context(), tone, nil); err != nil {
			t.Fatal(err)
		}
		added := noomtest.Await(w, bot, func(noom.TrackAdded) bool { return true })
		ogg := media.RecordOgg(t.Context(), &alone)
		ogg.Add(added.Peer, added.Track)
		ear, err := media.Listen(added.Track, 16000)
		if err != nil {
			t.Fatal(err)
		}
		var heard, packets int
		var readers sync.WaitGroup
		readers.Go(func() {
			for {
				sound, end := ear.Next()
				if errors.Is(end, io.EOF) {
					return
				}
				heard += len(sound.PCM)
			}
		})
		readers.Go(func() {
			for range added.Track.Packets() {
				packets++
			}
		})
		time.Sleep(3 * time.Second)
		if err = ear.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if err = errors.Join(tone.Close(), jiwoo.Leave(t.Context())); err != nil {
			t.Fatal(err)
		}
		readers.Wait()
		if err = errors.Join(whole.Close(), ogg.Close(), file.Close()); err != nil {
			t.Error(err)
		}
		if heard < 16000*28/10 || heard > 16000*32/10 {
			t.Errorf("heard %d samples in 3 s at 16 kHz", heard)
		}
		if packets < 190 || packets > 210 {
			t.Errorf("read %d packets in 4 s", packets)
		}
		film, err := media.OpenWebM(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		page := bytes.LastIndex(alone.Bytes(), []byte("OggS"))
		granule := binary.LittleEndian.Uint64(alone.Bytes()[page+6:]) // RFC 3533 section 6: samples at 48 kHz
		for name, lasts := range map[string]time.Duration{
			"of the room": film.Duration(), "alone": time.Duration(granule) * time.Second / 48000,
		} {
			if lasts < 3800*time.Millisecond || lasts > 4200*time.Millisecond {
				t.Errorf("the recording %s lasts %v, want 4 s", name, lasts)
			}
		}
		if err = film.Close(); err != nil {
			t.Error(err)
		}
		if err = bot.Leave(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A recording begins when a track is added, whatever waits for a reader by then.
func TestRecordFromNow(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		bot := w.Join("회의", &noom.Config{Name: "서기"})
		jiwoo := w.Join("회의", &noom.Config{Name: "지우"})
		tone, pattern := media.Tone(), media.TestPattern(nil)
		for _, s := range []*media.Source{tone, pattern} {
			if _, err := jiwoo.Publish(t.Context(), s, nil); err != nil {
				t.Fatal(err)
			}
		}
		noomtest.Await(w, bot, func(noom.TrackAdded) bool { return true })
		added := noomtest.Await(w, bot, func(noom.TrackAdded) bool { return true })
		time.Sleep(20 * time.Second)
		path := filepath.Join(t.TempDir(), "회의.webm")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		r := media.RecordPeer(t.Context(), file, added.Peer)
		time.Sleep(5 * time.Second)
		if err = errors.Join(r.Close(), file.Close(), tone.Close(), pattern.Close(), jiwoo.Leave(t.Context()), bot.Leave(t.Context())); err != nil {
			t.Fatal(err)
		}
		film, err := media.OpenWebM(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if lasts := film.Duration(); lasts < 4800*time.Millisecond || lasts > 6*time.Second {
			t.Errorf("five seconds last %v", lasts)
		}
		if err = film.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A recogniser that is busy for seconds still learns when the sound that waits for it was made.
func TestListenWhoFallsBehind(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		bot := w.Join("회의", &noom.Config{Name: "서기"})
		jiwoo := w.Join("회의", &noom.Config{Name: "지우"})
		tone := media.Tone()
		if _, err := jiwoo.Publish(t.Context(), tone, nil); err != nil {
			t.Fatal(err)
		}
		added := noomtest.Await(w, bot, func(noom.TrackAdded) bool { return true })
		ear, err := media.Listen(added.Track, 16000)
		if err != nil {
			t.Fatal(err)
		}
		var first media.Sound
		for i := range 400 {
			sound, err := ear.Next()
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = sound
			}
			if off := sound.Made.Sub(first.Made) - (sound.At - first.At); off.Abs() > 50*time.Millisecond {
				t.Fatalf("sound %d of %v is said to be made %v later", i, sound.At, off)
			}
			if i == 50 || i == 300 {
				time.Sleep(3 * time.Second)
			}
		}
		if err := errors.Join(ear.Close(), tone.Close(), jiwoo.Leave(t.Context()), bot.Leave(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

// A member that plays a file with sound is the active speaker.
func TestAFileSpeaks(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		listener := w.Join("회의", &noom.Config{Name: "지우"})
		player := w.Join("회의", &noom.Config{Name: "방송"})
		file, err := media.OpenOgg("tone.ogg", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = player.Publish(t.Context(), file, nil); err != nil {
			t.Fatal(err)
		}
		e := noomtest.Await(w, listener, func(e noom.ActiveSpeaker) bool { return e.Peer != nil })
		if e.Peer.Name() != "방송" {
			t.Errorf("%s speaks", e.Peer.Name())
		}
		if err = file.Close(); err != nil {
			t.Error(err)
		}
		noomtest.Await(w, listener, func(e noom.ActiveSpeaker) bool { return e.Peer == nil })
	})
}

// A listener that is asked for something else stops to wait, and goes on later; what it was too late for, it counts.
func TestListenWithAContext(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		bot := w.Join("회의", &noom.Config{Name: "서기"})
		jiwoo := w.Join("회의", &noom.Config{Name: "지우"})
		tone := media.Tone()
		sender, err := jiwoo.Publish(t.Context(), tone, nil)
		if err != nil {
			t.Fatal(err)
		}
		added := noomtest.Await(w, bot, func(noom.TrackAdded) bool { return true })
		ear, err := media.Listen(added.Track, 16000)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = ear.NextContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err = sender.SetMuted(true); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for err == nil {
			_, err = ear.NextContext(ctx)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the end of the context", err)
		}
		if n := ear.Dropped(); n != 0 {
			t.Errorf("%d packets were dropped", n)
		}
		if err = sender.SetMuted(false); err != nil {
			t.Fatal(err)
		}
		if _, err = ear.Next(); err != nil {
			t.Errorf("after a context has ended: %v", err)
		}
		time.Sleep(20 * time.Second) // a thousand packets, twice as many as wait
		if n := ear.Dropped(); n < 400 || n > 600 {
			t.Errorf("%d packets were dropped, want those of some ten seconds", n)
		}
		if err := errors.Join(ear.Close(), tone.Close(), jiwoo.Leave(t.Context()), bot.Leave(t.Context())); err != nil {
			t.Error(err)
		}
	})
}
