package browser_test

import (
	"context"
	"maps"
	"testing"

	"noom"
	"noom/internal/browsertest"
)

// TestStateWithGo: a page and a member in Go share the room's state and their attributes, both ways; what is kept stays when
// its writer leaves, and the rest goes.
func TestStateWithGo(t *testing.T) { browsertest.EachKind(t, testStateWithGo) }

func testStateWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab, room := newLab(t).pairWithGo(t, kind)
	tab.Do(`
		window.says = (key) => { const e = room.state.get(key); return e && new TextDecoder().decode(e.value) + ' by ' + e.by.name; };
		window.changes = (key) => happened('statechanged', (e) => e.key === key);
		(async () => {
			await room.state.set('주제', '저녁');
			await room.state.set('메모', 'five', { keep: true });
			await room.setAttributes({ 손: '들었다' });
		})()`)
	seen := map[string]string{}
	for len(seen) < 3 {
		event, err := room.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch e := event.(type) {
		case noom.StateChanged:
			seen[e.Key] = string(e.Value) + " by " + e.By.Name
		case noom.AttributesChanged:
			seen["attributes"] = e.Peer.Attributes()["손"]
		}
	}
	want := map[string]string{"주제": "저녁 by 지우", "메모": "five by 지우", "attributes": "들었다"}
	if !maps.Equal(seen, want) {
		t.Errorf("Go sees %v", seen)
	}
	if err := room.State().Set(t.Context(), "주제", []byte("점심"), nil); err != nil {
		t.Fatal(err)
	}
	if err := room.State().Delete(t.Context(), "메모"); err != nil {
		t.Fatal(err)
	}
	if err := room.State().Set(t.Context(), "note", []byte("stays"), &noom.StateOptions{Keep: true}); err != nil {
		t.Fatal(err)
	}
	if err := room.SetAttributes(t.Context(), map[string]string{"role": "봇"}); err != nil {
		t.Fatal(err)
	}
	tab.Wait("what Go has written", `says('주제') === '점심 by 고퍼' && says('note') === 'stays by 고퍼' && !says('메모') && other().attributes?.role === '봇'`)
	tab.Wait("its events", `changes('주제') === 1 && changes('메모') === 1 && happened('attributeschanged') === 1`)
	if err := room.Leave(context.Background()); err != nil {
		t.Fatal(err)
	}
	tab.Wait("what stays", `room.peers.length === 0 && says('note') === 'stays by ' && says('주제') === '저녁 by 지우'`)
}
