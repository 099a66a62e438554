package browser_test

import (
	"fmt"
	"testing"

	"noom/internal/browsertest"
)

// What a description has no room for is refused, one track at a time, from the
// start and later, in both directions at once: the call and its other tracks
// go on, and what is closed makes room.
func TestTooManyTracks(t *testing.T) { browsertest.EachPairIfAsked(t, testTooManyTracks) }

func testTooManyTracks(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	const many = 14
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, ""), l.open(b2, "")
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Do(`window.canvas = document.createElement('canvas'); canvas.getContext('2d'); // one that stands still costs nothing
			window.still = () => canvas.captureStream(0).getVideoTracks()[0];`)
	}
	one.Do(fmt.Sprintf(`enter('하나', { tracks: Array.from({ length: %d }, still) })`, many))
	two.Do(`enter('two')`)
	connected(one, two)
	two.Do(fmt.Sprintf(`for (let i = 0; i < %d; i++) room.publish(still())`, many))
	const refused = `happened('trackrefused', (e) => e.error.code === 'too_many_tracks' && e.codec === 'video/VP8' && e.peer === other())`
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("what is too much", refused+` > 0`)
	}
	all := func(from, at *browsertest.Tab) int {
		taken := many - browsertest.Eval[int](from, refused)
		at.Wait("the others", fmt.Sprintf(`other().tracks.length === %d && other().state === 'connected'`, taken))
		return taken
	}
	first, second := all(one, two), all(two, one)
	if first < 6 || second < 3 {
		t.Errorf("only %d and %d tracks had room", first, second)
	}
	one.Do(`room.senders[0].close(); room.publish(still(), { name: '화면' })`)
	two.Wait("the track that took its room", `other().tracks.some((track) => track.name === '화면')`)
	for _, tab := range []*browsertest.Tab{one, two} {
		if n := browsertest.Eval[int](tab, `connections`); n != 1 {
			t.Errorf("%d connections were made, want 1", n)
		}
		t.Logf("%s: %s", browsertest.Eval[string](tab, `room.self.name`), browsertest.Eval[string](tab, `JSON.stringify(other().connection.localDescription.sdp.split(/^(?=m=)/m).map((s) => s.length))`))
	}
}
