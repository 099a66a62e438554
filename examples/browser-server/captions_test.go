package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"noom"
	"noom/internal/browsertest"
	"noom/signal"
)

// caption is what examples/transcriber sends of it.
func caption(t *testing.T, id, text string) string {
	t.Helper()
	message, err := json.Marshal(map[string]any{"topic": "caption", "id": id, "name": "누구", "from": 1.5, "to": 2, "text": text})
	if err != nil {
		t.Fatal(err)
	}
	return string(message)
}

// captioned is what the caption in a tile says to a person that reads it, once it can be seen within the tile and above the
// name; else the empty string.
func captioned(tile string) string {
	return fmt.Sprintf(`((tile) => {
		const [outer, box, name] = [tile, tile.querySelector('.caption'), tile.querySelector('figcaption')].map((e) => e.getBoundingClientRect());
		const seen = box.width > 20 && box.height > 10 && box.left >= outer.left && box.right <= outer.right && box.top >= outer.top && box.bottom <= name.top + 1;
		return seen ? [...tile.querySelector('.caption').children].map((e) => e.textContent).join('|') : '';
	})(%s)`, tile)
}

// What a bot writes down is shown where the speaker is, as text and for seconds, unless the person does not want it.
func TestCaptions(t *testing.T) { browsertest.EachKind(t, testCaptions) }

func testCaptions(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	file, sign := issue(t)
	server := serveHere(t, "-token-key", file)
	tab := enter(t, kind.Start(t).In("ko"), server, "데모", "지우")
	scribe := joinBare(t, server, "데모", "")
	minjun := enterGo(t, server, "데모", "민준")
	tab.Wait("both", `['민준', '고퍼'].every((name) => named(name)?.dataset.state === 'connected')`)
	tab.Wait("no button before there is a caption", `!`+shown("captions"))
	const theirs, scribes = `named('민준')`, `named('고퍼')`

	sends(t, scribe, caption(t, minjun.Self().ID, "<b>안녕하세요</b>\n여러분"))
	tab.Wait("what 민준 says, and who says so", captioned(theirs)+` === '민준 |<b>안녕하세요</b> 여러분|고퍼 님이 받아씀' && `+theirs+`.querySelector('.caption').ariaLive === 'polite'`)
	tab.Wait("a button", shown("captions")+` && document.getElementById('captions').ariaPressed === 'true'`)
	sends(t, scribe, `{"topic":"caption","text":"مرحبا بالجميع"}`)
	tab.Wait("what the scribe says itself, and the other still", captioned(scribes)+` === '고퍼 |مرحبا بالجميع' && `+captioned(theirs)+` !== ''`)
	page := scribe.Peers()[slices.IndexFunc(scribe.Peers(), func(p noom.Peer) bool { return p.Name() == "지우" })]
	sends(t, scribe, caption(t, page.ID(), "제 말"))
	tab.Wait("what we say", captioned(own)+` === '지우 (나) |제 말|고퍼 님이 받아씀'`)
	tab.Screenshot("captions-desktop")
	tab.Wait("nothing after a while", captioned(own)+` === '' && `+captioned(theirs)+` === ''`)

	// A long one fits, in any size.
	for _, size := range [][2]int64{{360, 740}, {844, 390}, {1280, 800}} {
		tab.Resize(size[0], size[1])
		sends(t, scribe, caption(t, minjun.Self().ID, strings.Repeat("아주 긴 말을 ", 300)+"끝"))
		tab.Wait(fmt.Sprintf("a long caption at %d", size[0]), captioned(theirs)+`.includes('끝|') && `+captioned(theirs)+`.length < 330`)
		tab.Screenshot(fmt.Sprintf("captions-long-%d", size[0]))
	}

	// Hidden, and back.
	tab.Do(`document.activeElement.blur()`)
	tab.Keys("c")
	tab.Wait("no captions", captioned(theirs)+` === '' && document.getElementById('captions').ariaPressed === 'false' && document.getElementById('captions').ariaLabel !== ''`)
	tab.Do(`{
		window.wrong = [];
		const tiles = document.getElementById('tiles');
		new MutationObserver(() => wrong.push(...tiles.textContent.match(/(안 보이는|못 하는) 말/g) ?? [])).observe(tiles, { childList: true, subtree: true });
	}`)
	sends(t, scribe, caption(t, minjun.Self().ID, "안 보이는 말"), `{"noom":"state","hand":0}`)
	tab.Wait("what follows", hand(scribes)+` !== ''`)
	tab.Click("#captions")
	sends(t, minjun, `{"topic":"caption","text":"다시"}`)
	tab.Wait("captions again", captioned(theirs)+` === '민준 |다시'`)

	// Of who may not chat, of nobody that is here, and too many.
	silent := joinBare(t, server, "데모", sign(signal.Rights{signal.RightPublish}))
	tab.Wait("the third", `[...tiles()].filter((tile) => tile.dataset.state === 'connected').length === 3`)
	sends(t, silent, `{"topic":"caption","text":"못 하는 말"}`, caption(t, minjun.Self().ID, "못 하는 말"), caption(t, "아무도", "x"), `{"noom":"state","hand":0}`)
	tab.Wait("what follows", `tiles().filter((tile) => tile.querySelector('.hand').checkVisibility()).length === 2`)
	if wrong := browsertest.Eval[[]string](tab, `wrong`); len(wrong) > 0 {
		t.Errorf("it shows %q", wrong)
	}
	tab.Do(fmt.Sprintf(`{
		window.changes = 0;
		new MutationObserver(() => changes++).observe(%s.querySelector('.caption'), { childList: true });
	}`, theirs))
	for i := range 300 {
		if err := page.Send(t.Context(), []byte(caption(t, minjun.Self().ID, fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
	}
	sends(t, scribe, `{"noom":"state"}`)
	tab.Wait("the end of the flood", hand(scribes)+` === ''`)
	if n := browsertest.Eval[int](tab, `changes`); n == 0 || n > 100 {
		t.Errorf("of 300 captions %d are shown", n)
	}
}
