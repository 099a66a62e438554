package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noom"
	"noom/examples/bot/bottest"
)

const clips = "../../media/testdata/"

func copyTo(t *testing.T, folder string, names map[string]string) {
	t.Helper()
	for name, from := range names {
		b, err := os.ReadFile(clips + from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Three films, two codecs, two of them with sound, over and over.
func TestFolderIsAChannel(t *testing.T) {
	folder := t.TempDir()
	copyTo(t, folder, map[string]string{"1 소리.ivf": "vp8.ivf", "1 소리.ogg": "opus.ogg", "2.ivf": "vp9.ivf", "3 영화.webm": "film.webm", "notes.txt": "README.md"})
	stage := bottest.New(t)
	room := stage.Join("지우")
	out, _ := stage.Start(run, "-play", folder)
	wanted := map[string]int{"video/VP8": 2, "video/VP9": 1, "audio/opus": 1} // VP8 comes again
	bottest.Await(t, room, func(e noom.TrackAdded) bool {
		if _, err := e.Track.ReadRTP(); err != nil {
			t.Fatal(err)
		}
		wanted[e.Track.Codec().MimeType]--
		return wanted["video/VP8"] <= 0 && wanted["video/VP9"] <= 0 && wanted["audio/opus"] <= 0
	})
	bottest.Until(t, func() bool { return strings.Count(out.String(), "playing") > 3 })
	if !strings.Contains(out.String(), "1 소리.ivf and ") || !strings.Contains(out.String(), "3 영화.webm\n") || strings.Contains(out.String(), "notes") {
		t.Error(out)
	}
}

// A damaged one is reported, and the others play on.
func TestDamagedFilmIsLeftOut(t *testing.T) {
	folder := t.TempDir()
	copyTo(t, folder, map[string]string{"1.ivf": "README.md", "2.ivf": "vp8.ivf"})
	stage := bottest.New(t)
	out, _ := stage.Start(run, "-play", folder)
	bottest.Until(t, func() bool { return strings.Count(out.String(), "2.ivf") > 1 })
	if !strings.Contains(out.String(), "1.ivf: ") {
		t.Error(out)
	}
	if err := os.Remove(filepath.Join(folder, "2.ivf")); err != nil {
		t.Fatal(err)
	}
	if err := stage.Run(run, "-play", folder); err == nil || !strings.Contains(err.Error(), "another kind of file") {
		t.Errorf("with nothing that can be played it ended with %v", err)
	}
}

func TestNothingToPlay(t *testing.T) {
	empty := t.TempDir()
	for path, says := range map[string]string{empty: "no file in it", "없음": "no such file", clips + "README.md": "another kind of file"} {
		if err := run(t.Context(), []string{"-play", path}, io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
}
