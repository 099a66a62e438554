package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noom"
	"noom/examples/bottest"
)

func TestNewcomersAreGreeted(t *testing.T) {
	speech := filepath.Join(t.TempDir(), "환영.WAV")
	head := "RIFF\xff\xff\xff\x7fWAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x22\x56\x00\x00\x44\xac\x00\x00\x02\x00\x10\x00data\xff\xff\xff\x7f"
	if err := os.WriteFile(speech, append([]byte(head), make([]byte, 22050)...), 0o600); err != nil { // half a second
		t.Fatal(err)
	}
	for _, sound := range []string{"", "../../media/testdata/opus.ogg", speech} {
		stage := bottest.New(t)
		stage.Start(run, "-sound", sound)
		for _, name := range []string{"지우", "bob"} {
			room := stage.Join(name)
			heard, told := false, false
			var track noom.RemoteTrack
			bottest.Await(t, room, func(event noom.Event) bool {
				switch e := event.(type) {
				case noom.DataReceived:
					told = told || string(e.Data) == "welcome, "+name
				case noom.TrackAdded:
					if e.Track.Name() == "announcement" {
						track = e.Track
						_, err := track.ReadRTP()
						heard = err == nil
					}
				}
				return heard && told
			})
			for range track.Packets() { // it ends
			}
		}
	}
}

// Before the first guest is greeted by silence.
func TestNoSound(t *testing.T) {
	for sound, says := range map[string]string{"없음.ogg": "no such file", "main.go": "Ogg", "없음.wav": "no such file"} {
		if err := run(t.Context(), bottest.Flags(), []string{"-sound", sound}, io.Discard); err == nil || !strings.Contains(err.Error(), "-sound") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", sound, err, says)
		}
	}
}
