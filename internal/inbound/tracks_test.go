package inbound

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"noom/signal"
)

// TestPeakOfAllTracks: the peak is the highest level since the last call, over all tracks of a peer.
func TestPeakOfAllTracks(t *testing.T) {
	one, two := NewTrack("a", "마이크", webrtc.RTPCodecTypeAudio, false), NewTrack("b", "screen audio", webrtc.RTPCodecTypeAudio, false)
	tracks := &Tracks{list: []*Track{one, two}}
	if _, ok := tracks.TakePeak(); ok {
		t.Error("a peak without packets")
	}
	for _, dBov := range []int{-90, 0, -127} {
		one.noteLevel(dBov)
		two.noteLevel(dBov - 20)
	}
	if dBov, ok := tracks.TakePeak(); dBov != 0 || !ok {
		t.Errorf("peak %d, %v; want 0", dBov, ok)
	}
	if _, ok := tracks.TakePeak(); ok {
		t.Error("the same peak was returned twice")
	}
	two.noteLevel(-127)
	if dBov, ok := tracks.TakePeak(); dBov != -127 || !ok {
		t.Errorf("peak %d, %v; want -127", dBov, ok)
	}
	if dBov, ok := one.AudioLevel(); dBov != -127 || !ok {
		t.Errorf("level %d, %v; want -127", dBov, ok)
	}
}

// tableOf returns a table whose rows are ids by mid. A track whose id ends in ! is muted, and one in ? is paused.
func tableOf(version int64, rows map[string]string) *signal.Table {
	t := &signal.Table{Version: version, Tracks: make(map[string]signal.TrackRow)}
	for mid, id := range rows {
		mark := id[len(id)-1]
		id = strings.TrimRight(id, "!?")
		t.Tracks[mid] = signal.TrackRow{ID: id, Name: "카메라", Kind: "video", Muted: mark == '!', Paused: mark == '?'}
	}
	return t
}

// diffWords returns a Diff in words, sorted.
func diffWords(d Diff) (words []string) {
	for verb, tracks := range map[string][]*Track{"added": d.Added, "muted": d.Muted, "removed": d.Removed} {
		for _, track := range tracks {
			words = append(words, fmt.Sprint(verb, " ", track.ID(), " ", track.Muted()))
		}
	}
	for _, track := range d.Paused {
		words = append(words, fmt.Sprint("paused ", track.ID(), " ", track.Paused()))
	}
	if d.Withheld > 0 {
		words = append(words, fmt.Sprint("withheld ", d.Withheld))
	}
	slices.Sort(words)
	return words
}

// TestTracksFollowTheTable: a peer's tracks are those in its latest table.
func TestTracksFollowTheTable(t *testing.T) {
	var tracks Tracks
	left, right := &Inbound{}, &Inbound{}
	inbounds := map[string]*Inbound{"0": left}
	step := func(what string, d Diff, want ...string) {
		t.Helper()
		if got := diffWords(d); !slices.Equal(got, want) {
			t.Fatalf("%s: %q, want %q", what, got, want)
		}
	}
	feeds := func(in *Inbound, id string) {
		t.Helper()
		if track := in.track.Load(); (track == nil) != (id == "") || track != nil && track.ID() != id {
			t.Fatalf("an inbound feeds %v, want %q", track, id)
		}
	}
	step("no table", tracks.Retake(true, inbounds))
	step("version 0", tracks.Take(tableOf(0, map[string]string{"0": "a"}), true, inbounds))

	first := tableOf(2, map[string]string{"0": "a", "1": "b!"})
	if added, muted := tracks.News(first); added != 2 || muted != 0 {
		t.Fatalf("news: %d and %d", added, muted)
	}
	step("the first table", tracks.Take(first, true, inbounds), "added a false", "added b true")
	feeds(left, "a")
	inbounds["1"] = right
	tracks.Feed("1", right)
	feeds(right, "b")
	step("the same table again", tracks.Take(first, true, inbounds))
	step("an older table", tracks.Take(tableOf(1, nil), true, inbounds))
	list := tracks.List()
	if len(list) != 2 || list[0].ID() != "a" || list[1].ID() != "b" {
		t.Fatal(list)
	}

	second := tableOf(3, map[string]string{"0": "c", "1": "b"})
	if added, muted := tracks.News(second); added != 1 || muted != 1 {
		t.Fatalf("news: %d and %d", added, muted)
	}
	step("the second table", tracks.Take(second, true, inbounds), "added c false", "muted b false", "removed a false")
	feeds(left, "c")
	feeds(right, "b")
	if _, err := list[0].ReadRTP(); !errors.Is(err, io.EOF) {
		t.Fatalf("a removed track: %v, want io.EOF", err)
	}

	// A track is paused, and flows again.
	third := tableOf(4, map[string]string{"0": "c", "1": "b?"})
	if added, changed := tracks.News(third); added != 0 || changed != 1 {
		t.Fatalf("news: %d and %d", added, changed)
	}
	step("the third table", tracks.Take(third, true, inbounds), "paused b true")
	step("the fourth table", tracks.Take(tableOf(5, map[string]string{"0": "c", "1": "b!"}), true, inbounds), "muted b true", "paused b false")
	step("a table as before", tracks.Take(tableOf(6, map[string]string{"0": "c", "1": "b"}), true, inbounds), "muted b false")

	// The peer's right to publish changes.
	step("the right is gone", tracks.Retake(false, inbounds), "removed b false", "removed c false", "withheld 2")
	feeds(left, "")
	step("a table without the right", tracks.Take(tableOf(7, map[string]string{"1": "b"}), false, inbounds), "withheld 1")
	step("the right is back", tracks.Retake(true, inbounds), "added b false")
	feeds(left, "")
	feeds(right, "b")

	// The peer goes, and comes back.
	step("the end", tracks.End(), "removed b false")
	step("the end again", tracks.End())
	step("a table after the end", tracks.Take(tableOf(8, map[string]string{"0": "d"}), true, inbounds))
	feeds(left, "")
	feeds(right, "")
	if tracks.List() != nil {
		t.Fatal("tracks after the end")
	}
	tracks.Reopen()
	step("the table from before", tracks.Retake(true, inbounds))
	step("a first table again", tracks.Take(tableOf(1, map[string]string{"0": "e"}), true, inbounds), "added e false")
}
