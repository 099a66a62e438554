package inbound

import (
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// TestTrackMovesBetweenSections: a row that moves to another mid leaves the track with the section that it had until the
// other one begins, and back, and on.
func TestTrackMovesBetweenSections(t *testing.T) {
	one, two := New(nil), New(nil)
	inbounds := map[string]*Inbound{"1": one, "2": two}
	var tracks Tracks
	version, sent := int64(0), uint16(0)
	take := func(rows map[string]string) Diff {
		version++
		return tracks.Take(tableOf(version, rows), true, inbounds)
	}
	codecs := map[*Inbound]*webrtc.RTPCodecParameters{one: {PayloadType: 1}, two: {PayloadType: 2}}
	var camera *Track
	// arrives sends a packet over a section and reports whether the camera gets it.
	arrives := func(in *Inbound) bool {
		sent++
		before := camera.ring.count
		if to := in.track.Load(); to != nil {
			to.push(in, &rtp.Packet{Header: rtp.Header{SequenceNumber: sent}}, codecs[in])
		}
		return camera.ring.count > before && camera.Codec().PayloadType == codecs[in].PayloadType
	}
	check := func(step string, in *Inbound, want bool) {
		t.Helper()
		if got := arrives(in); got != want {
			t.Errorf("%s: the packet of one section counts: %v", step, got)
		}
	}
	quietly := func(step string, d Diff) {
		t.Helper()
		if words := diffWords(d); len(words) > 0 {
			t.Errorf("%s: %q", step, words)
		}
	}
	camera = take(map[string]string{"1": "camera"}).Added[0]
	check("at first", one, true)
	quietly("moved", take(map[string]string{"2": "camera"}))
	check("before the other begins", one, true)
	check("begun", two, true)
	check("late", one, false)
	quietly("back", take(map[string]string{"1": "camera"}))
	check("the old one still", two, true)
	check("back again", one, true)
	quietly("away", take(map[string]string{"2": "camera"}))
	quietly("and back at once", take(map[string]string{"1": "camera"}))
	check("a straggler of where it never went", two, false)
	check("stays", one, true)
	quietly("away again", take(map[string]string{"2": "camera"}))
	if added := take(map[string]string{"2": "camera", "1": "screen"}).Added; len(added) != 1 || added[0].ID() != "screen" {
		t.Errorf("added %v", added)
	}
	check("another track has that section", one, false)
	check("the new section", two, true)
	take(nil)
	if one.track.Load() != nil || two.track.Load() != nil {
		t.Error("a section feeds a track that has ended")
	}
}
