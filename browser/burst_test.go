package browser_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/browsertest"
	"noom/media"
	"noom/transport/ws"
)

var long = flag.Bool("long", false, "run the long forms of the burst tests: some five minutes")

// A page and a Go member add kinds at the same time, in every order: pion and
// Chromium number header extensions differently, and a clash would show as a
// description that cannot be applied. The long form runs every pair of orders
// at many offsets in time.
func TestBurstsWithGo(t *testing.T) { browsertest.EachKindIfAsked(t, testBurstsWithGo) }

func testBurstsWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	orders := [][]string{{"audio", "video"}, {"video", "audio"}, {"video", "video", "audio"}}
	rounds, runs := 1, 0
	if *long {
		rounds = 18
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		for _, page := range orders {
			for _, inGo := range orders {
				burst(t, l, tab, page, inGo, [2]int{random.IntN(60), random.IntN(60)})
				runs++
			}
		}
		if browsertest.Eval[int](tab, `connections`) > 300 { // a page may only ever make 500
			tab.Close()
			tab = l.open(kind.Start(t), "")
		}
	}
	t.Logf("%d runs", runs)
}

// burst is one run in a room of its own. steps are the pauses between the
// tracks of the page and of Go, in ms.
func burst(t *testing.T, l *lab, tab *browsertest.Tab, page, inGo []string, steps [2]int) {
	t.Helper()
	what := fmt.Sprintf("page %v every %d ms, Go %v every %d ms", page, steps[0], inGo, steps[1])
	tab.Do(`log.length = 0; enter('지우')`)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", nil)
	if err != nil {
		t.Fatal(err)
	}
	connected(tab)
	tab.Do(fmt.Sprintf(`(async () => {
		for (const [i, kind] of %q.split(' ').entries()) {
			room.publish(kind === 'audio' ? tone() : picture('rgb(200, 0, 0)'), { name: kind + i });
			await new Promise((resolve) => setTimeout(resolve, %d));
		}
	})(), undefined`, strings.Join(page, " "), steps[0]))
	for i, kind := range inGo {
		source := media.Tone
		if kind == "video" {
			source = func() *media.Source { return media.TestPattern(nil) }
		}
		track := source()
		defer func() { _ = track.Close() }() // nothing to lose
		if _, err := room.Publish(t.Context(), track, &noom.PublishOptions{Name: fmt.Sprint(kind, i)}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Duration(steps[1]) * time.Millisecond)
	}
	tab.Wait("all of Go's tracks: "+what, fmt.Sprintf(`other().tracks.length === %d`, len(inGo)))
	tab.Wait("packets on every one: "+what, fmt.Sprintf(
		`(async () => [...(await other().stats()).values()].filter((s) => s.type === "inbound-rtp" && s.packetsReceived > 5).length === %d)()`, len(inGo)))
	got := make(chan string, 10)
	go func() {
		for event := range room.Events(t.Context()) {
			if e, ok := event.(noom.TrackAdded); ok {
				go firstPacket(e.Track, got)
			}
		}
	}()
	timeout := time.After(time.Minute)
	for range page {
		select {
		case <-got:
		case <-timeout:
			t.Fatalf("Go did not get all the page's tracks: %s", what)
		}
	}
	if n := browsertest.Eval[int](tab, `happened('peerstatechanged', (e) => e.state === 'failed')`); n != 0 {
		t.Errorf("%d failures: %s", n, what)
	}
	if state := room.Peers()[0].Connection().SignalingState(); state != webrtc.SignalingStateStable {
		t.Errorf("signaling is %s: %s", state, what)
	}
	numbersAgree(t, what, room.Peers()[0].Connection())
	tab.Do(`room.leave(); hush()`)
	if err := room.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}

// numbersAgree checks that no header extension has two numbers in a connection and no number two
// extensions, whichever end offered (RFC 8285 sections 5 and 7), and that sound comes with its
// level.
func numbersAgree(t *testing.T, what string, pc *webrtc.PeerConnection) {
	t.Helper()
	numbers, uris := map[string]string{}, map[string]string{}
	for _, description := range []*webrtc.SessionDescription{pc.LocalDescription(), pc.RemoteDescription()} {
		for section := range strings.SplitSeq(description.SDP, "\nm=") {
			levels := false
			for line := range strings.Lines(section) {
				rest, ok := strings.CutPrefix(line, "a=extmap:")
				if !ok {
					continue
				}
				number, uri, _ := strings.Cut(strings.TrimSpace(rest), " ")
				levels = levels || uri == sdp.AudioLevelURI
				if was, ok := uris[number]; ok && was != uri {
					t.Errorf("%s is number %s and so is %s: %s", uri, number, was, what)
				}
				if was, ok := numbers[uri]; ok && was != number {
					t.Errorf("%s has the numbers %s and %s: %s", uri, was, number, what)
				}
				uris[number], numbers[uri] = uri, number
			}
			if strings.HasPrefix(section, "audio") && !levels {
				t.Errorf("sound without levels: %s", what)
			}
		}
	}
}

func firstPacket(track noom.RemoteTrack, got chan<- string) {
	if _, err := track.ReadRTP(); err == nil {
		got <- track.Name()
	}
}
