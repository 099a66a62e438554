package browser_test

import (
	"testing"

	"noom/internal/browsertest"
)

// A member that verify refuses, by false or by an error, is in no list and hides no other; verify
// is called once for each, whatever becomes of the hub.
func TestVerify(t *testing.T) { browsertest.EachAlike(t, testVerify) }

func testVerify(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	for _, name := range []string{"나쁜 손님", "거짓", "친구"} {
		l.open(b1, "").Do(`enter('` + name + `')`)
	}
	tab := l.open(b2, "")
	tab.Do(`
		window.asked = [];
		enter('지우', { verify: async (m) => {
			asked.push(m.name);
			await new Promise((resolve) => setTimeout(resolve, 100)); // no event comes before join has resolved
			if (m.name === '나쁜 손님') throw new Error('not that one');
			return m.name !== '거짓';
		} });`)
	connected(tab)
	tab.Wait("the friend, and no one else", `room.peers.map((p) => p.name).join() === '친구'`)
	l.replaceHub()
	tab.Wait("the way back", `happened('signalingrestored') === 1`)
	l.open(b1, "").Do(`enter('later')`)
	tab.Wait("who comes later", `room.peers.map((p) => p.name).join() === '친구,later' && room.peers.every((p) => p.state === 'connected')`)
	if n := browsertest.Eval[int](tab, `asked.filter((name) => name === '친구').length`); n != 1 {
		t.Errorf("asked about the friend %d times", n)
	}
	if n := browsertest.Eval[int](tab, `happened('peerjoined')`); n != 2 {
		t.Errorf("%d joined, want 2", n)
	}
}
