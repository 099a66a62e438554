package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"noom"
	"noom/examples/bottest"
	"noom/media/voice"
	"noom/noomtest"
)

const ms = time.Millisecond

func hum(hz float64, lasts time.Duration) []int16 {
	pcm := make([]int16, lasts*8000/time.Second)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/8000))
	}
	return pcm
}

// parts returns where in a WAV file there is sound, in seconds, and checks its head.
func parts(t *testing.T, path string) (list [][2]float64) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(file) < 44 || int(binary.LittleEndian.Uint32(file[4:]))+8 != len(file) || int(binary.LittleEndian.Uint32(file[40:]))+44 != len(file) {
		t.Fatalf("%s: its head is not that of %d bytes", path, len(file))
	}
	quiet := rate
	for i, raw := 0, file[44:]; len(raw) >= 2; i, raw = i+1, raw[2:] {
		v, at := int16(binary.LittleEndian.Uint16(raw)), float64(i)/rate
		if v < 1000 && v > -1000 {
			quiet++
			continue
		}
		if quiet > rate/5 {
			list = append(list, [2]float64{at, at})
		}
		list[len(list)-1][1], quiet = at, 0
	}
	return list
}

// TestTranscript: two speak at once and in turn, and the files of each have that at its time, as sound and as text.
func TestTranscript(t *testing.T) {
	folder := t.TempDir()
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		room := w.Join("데모", &noom.Config{Name: "transcriber"})
		var out bottest.Output
		ended := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { ended <- transcribe(ctx, room, folder, stopwatch{}, &out) }()
		began := time.Now()
		mouths := map[string]*voice.Speaker{}
		var jiwoo noom.Room
		for _, name := range []string{"지우/..", "bob"} {
			person := w.Join("데모", &noom.Config{Name: name})
			mouth, err := voice.NewSpeaker(t.Context(), person, &voice.SpeakerOptions{Codec: voice.PCMU, Rate: 8000})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = mouth.Close() }()
			mouths[name] = mouth
			if jiwoo == nil {
				jiwoo = person
			}
		}
		w.Settle()
		at := func(d time.Duration) { time.Sleep(time.Until(began.Add(d))) }
		say := func(name string, lasts time.Duration) {
			if _, err := mouths[name].Write(hum(300, lasts)); err != nil {
				t.Fatal(err)
			}
		}
		at(2 * time.Second)
		say("지우/..", time.Second)
		at(2500 * ms)
		say("bob", 2*time.Second)
		at(10 * time.Second)
		say("지우/..", 500*ms)
		at(15 * time.Second)
		say("bob", 10*time.Second) // it is stopped in the middle
		at(16 * time.Second)
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		got := noomtest.Await[noom.DataReceived](w, jiwoo, nil)
		var c caption
		if err := json.Unmarshal(got.Data, &c); err != nil || c.Topic != "caption" || c.Name != "지우/.." || math.Abs(c.From-2) > 0.3 || math.Abs(c.To-3.01) > 0.05 || !strings.Contains(c.Text, "s of speech") {
			t.Errorf("%s, %v", got.Data, err)
		}
		for name, want := range map[string][][2]float64{"지우---": {{2.01, 3.01}, {10.01, 10.51}}, "bob": {{2.51, 4.51}, {15.01, 16}}} {
			files, err := filepath.Glob(filepath.Join(folder, "*_"+name+"_*"))
			if err != nil || len(files) != 2 {
				t.Fatalf("%q has the files %q, %v", name, files, err)
			}
			list := parts(t, files[1])
			if len(list) != len(want) {
				t.Fatalf("%s: sound at %v, want %v", name, list, want)
			}
			for i := range want {
				if math.Abs(list[i][0]-want[i][0]) > 0.03 || math.Abs(list[i][1]-want[i][1]) > 0.05 {
					t.Errorf("%s: sound at %v, want %v", name, list[i], want[i])
				}
			}
			text, err := os.ReadFile(files[0])
			if err != nil || !strings.HasPrefix(string(text), "WEBVTT\n\n00:00:") || strings.Count(string(text), " --> ") != 2 {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
		}
		if lines := strings.Count(out.String(), "s of speech)"); lines != 4 {
			t.Errorf("%d lines\n%s", lines, &out)
		}
	})
}

// TestPages: what cannot be in a file's name is not, a text cannot end its cue, and a file does not grow beyond what its
// head can say.
func TestPages(t *testing.T) {
	for name, want := range map[string]string{"지우": "지우", "../a b": "---a-b", strings.Repeat("우", 100): strings.Repeat("우", 24), "": ""} {
		if got := fileName(name); got != want || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q", name, got)
		}
	}
	p, err := newPages(t.TempDir(), time.Now(), "지우", "abc")
	if err != nil {
		t.Fatal(err)
	}
	if err = p.note(-time.Second, 90*time.Minute+1500*ms, "a <b>\n\nNOTE & c"); err != nil {
		t.Fatal(err)
	}
	if _, err = p.write(p.begin(100*time.Hour), []int16{1}); err == nil {
		t.Error("a WAV file of 100 hours")
	}
	text, err := os.ReadFile(p.text.Name())
	if want := "WEBVTT\n\n00:00:00.000 --> 01:30:01.500\na &lt;b&gt;  NOTE &amp; c\n"; err != nil || string(text) != want {
		t.Errorf("%q, %v", text, err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}

// Before anybody is asked to a call that is not written down.
func TestNoFolder(t *testing.T) {
	for folder, says := range map[string]string{"없음": "no such file", "main.go": "no folder"} {
		if err := run(t.Context(), bottest.Flags(), []string{"-folder", folder}, io.Discard); err == nil || !strings.Contains(err.Error(), "-folder") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", folder, err, says)
		}
	}
}

// TestProgram: the program writes down what is said at a hub.
func TestProgram(t *testing.T) {
	stage, folder := bottest.New(t), t.TempDir()
	out, stop := stage.Start(run, "-name", "transcriber", "-folder", folder)
	room := stage.Join("지우")
	bottest.Await(t, room, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerConnected })
	mouth, err := voice.NewSpeaker(t.Context(), room, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mouth.Close() }()
	if _, err := mouth.Write(hum(100, 3*time.Second)); err != nil {
		t.Fatal(err)
	}
	bottest.Until(t, func() bool { return strings.Contains(out.String(), "지우: (") })
	stop()
	if files, err := filepath.Glob(filepath.Join(folder, "*")); err != nil || len(files) != 2 {
		t.Errorf("%q, %v", files, err)
	}
}
