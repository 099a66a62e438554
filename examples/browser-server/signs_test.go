package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"noom"
	"noom/internal/browsertest"
	"noom/transport/ws"
)

// sign is what pages tell each other: signs.js.
type sign struct {
	Noom    string `json:"noom"`
	Hand    *int   `json:"hand"`
	Records bool   `json:"records"`
}

// tell waits for a sign that fits of each of these members.
func (g *gopher) tell(t *testing.T, what string, fits func(sign) bool, names ...string) {
	t.Helper()
	told := make(map[string]bool)
	g.hears(t, what, func(e noom.Event) bool {
		var s sign
		if data, ok := e.(noom.DataReceived); ok && json.Unmarshal(data.Data, &s) == nil && fits(s) {
			told[data.Peer.Name()] = true
		}
		return !slices.ContainsFunc(names, func(name string) bool { return !told[name] })
	})
}

// sends says these messages to everyone.
func sends(t *testing.T, room noom.Room, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := room.Send(t.Context(), []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
}

// hand is what a tile says of its member's hand, or the empty string while that is down.
func hand(tile string) string {
	return fmt.Sprintf(`((mark) => mark.checkVisibility() ? mark.ariaLabel : '')(%s.querySelector('.hand'))`, tile)
}

// reactions is the element that has a tile's.
const reactions = `.querySelector('.reactions')`

// watches keeps what an element says from now on, under a name, because it says it for seconds only; with says whether
// something else is so then.
func watches(tab *browsertest.Tab, name, element, with string) {
	tab.Do(fmt.Sprintf(`{
		window.said ??= {};
		said[%[1]q] = [];
		const element = %[2]s;
		new MutationObserver(() => element.isConnected && said[%[1]q].push(element.textContent + (%[3]s ? '' : ', and it is not'))).observe(element, { childList: true, subtree: true });
	}`, name, element, with))
}

// hasSaid is whether an element has said a text.
func hasSaid(name, text string) string { return fmt.Sprintf(`said[%q].includes(%q)`, name, text) }

// Hands, reactions, and who is typing, between pages and with a member that says anything; and that one comes and goes.
func TestSigns(t *testing.T) { browsertest.EachPairIfAsked(t, testSigns) }

func testSigns(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	b1, b2 := kinds.Start(t)
	jiwoo := enter(t, b1.In("ko"), server, "데모", "지우")
	bob := enter(t, b2.In("en"), server, "데모", "bob")
	seesAndHears(t, jiwoo, 1)
	seesAndHears(t, bob, 1)
	bob.Click("#hand")
	jiwoo.Wait("the hand of bob, alone", hand(`named('bob')`)+` === '손을 들었음' && `+text("announced")+`.includes('bob 님이 손을 들었습니다')`)
	bob.Wait("his own", hand(own)+` === 'hand is up' && document.getElementById('hand').ariaPressed === 'true'`)
	jiwoo.Click("#hand")
	for _, see := range []struct {
		tab  *browsertest.Tab
		mine string
		bob  string
	}{{jiwoo, hand(own) + ` === '손을 들었음, 2번째'`, hand(`named('bob')`) + ` === '손을 들었음, 1번째'`}, {bob, hand(`named('지우')`) + ` === 'hand is up, number 2'`, hand(own) + ` === 'hand is up, number 1'`}} {
		see.tab.Wait("two hands in their order", see.mine+" && "+see.bob)
	}
	reacts(bob, jiwoo)
	types(bob, jiwoo)

	g := enterGo(t, server, "데모", "고퍼")
	up := func(s sign) bool { return s.Noom == "state" && s.Hand != nil && *s.Hand >= 0 && !s.Records }
	g.tell(t, "the hands that were up before", up, "bob", "지우")
	saysAnything(t, g.Room, jiwoo, bob)
	bob.Click("#hand")
	g.tell(t, "no hand", func(s sign) bool { return s.Noom == "state" && s.Hand == nil }, "bob")
	jiwoo.Wait("no hand", hand(`named('bob')`)+` === ''`)
	flaps(t, server, jiwoo)
}

// reacts presses each reaction; no more than three are shown, clear of the name, and for a moment.
func reacts(bob, jiwoo *browsertest.Tab) {
	watches(bob, "own", own+reactions, "true")
	watches(jiwoo, "own", own+reactions, "true")
	watches(jiwoo, "bob's", `named('bob')`+reactions, `((a, b) => a.width > 20 && (a.bottom <= b.top || a.left >= b.right))(
		named('bob').querySelector('.reactions').getBoundingClientRect(), named('bob').querySelector('figcaption').getBoundingClientRect())`)
	bob.Click("#react")
	bob.Wait("the menu", `document.getElementById('react').ariaExpanded === 'true' && document.querySelectorAll('#reactions button[aria-label]').length === 6 && `+shown("reactions"))
	bob.Screenshot("signs-menu")
	bob.Do(`for (const button of document.querySelectorAll('#reactions button')) button.click()`)
	bob.Wait("no menu, and one's own", `!`+shown("reactions")+` && `+hasSaid("own", "👏🎉😮"))
	jiwoo.Wait("the last three, clear of the name", hasSaid("bob's", "👏🎉😮"))
	jiwoo.Screenshot("signs-desktop")
	jiwoo.Resize(390, 844)
	jiwoo.Click("#more")
	jiwoo.Wait("all of it on a phone", shown("hand")+` && [...document.querySelectorAll('#extras button')].map((e) => e.getBoundingClientRect()).filter((b) => b.width > 0)
		.every((b) => b.left >= 0 && b.right <= innerWidth && b.top >= 0 && b.width >= 24)`)
	jiwoo.Screenshot("signs-phone")
	jiwoo.Do(`document.querySelector('#reactions button').click()`)
	jiwoo.Wait("one's own, and no menu", `!`+shown("hand")+` && `+hasSaid("own", "👍"))
	jiwoo.Resize(1280, 800)
	jiwoo.Wait("nothing after a while", `named('bob')`+reactions+`.textContent === ''`)
}

// types types a message, and sends it.
func types(bob, jiwoo *browsertest.Tab) {
	const line = `document.getElementById('typing')`
	watches(jiwoo, "typing", line, line+`.textContent === '' || `+line+`.getBoundingClientRect().height > 10`)
	watches(jiwoo, "typing meanwhile", `document.getElementById('messages')`, line+`.textContent === ''`)
	bob.Fill("form#chat [name=text]", "저는요")
	bob.Do(`document.querySelector('form#chat [name=text]').dispatchEvent(new Event('input', { bubbles: true }))`)
	jiwoo.Wait("who types", hasSaid("typing", "bob 님이 쓰고 있습니다…"))
	jiwoo.Screenshot("signs-typing")
	bob.Click("form#chat [type=submit]")
	says(jiwoo, "bob저는요")
	jiwoo.Wait("who does no longer", `said['typing meanwhile'].at(-1).endsWith('저는요')`)
}

// saysAnything says what no page would, and more than is taken in.
func saysAnything(t *testing.T, g noom.Room, jiwoo, bob *browsertest.Tab) {
	t.Helper()
	for _, tab := range []*browsertest.Tab{jiwoo, bob} {
		watches(tab, "typing", `document.getElementById('typing')`, "true")
	}
	sends(t, g, "", "{", `{"noom":"reaction","emoji":"<b>"}`, `{"noom":"typing"}`, `{"noom":"state","hand":1e9}`)
	for _, tab := range []*browsertest.Tab{jiwoo, bob} {
		tab.Wait("a hand that was up for long", hand(`named('고퍼')`)+`.endsWith('1') || `+hand(`named('고퍼')`)+`.endsWith(', 1번째')`)
		tab.Wait("who types", `said.typing.some((text) => text.startsWith('고퍼'))`)
	}
	jiwoo.Do(`{
		window.most = 0;
		window.all = 0;
		const reactions = named('고퍼').querySelector('.reactions');
		new MutationObserver((changes) => {
			window.most = Math.max(most, reactions.querySelectorAll(':scope > span').length);
			window.all += changes.flatMap(({ addedNodes }) => [...addedNodes]).length;
		}).observe(reactions, { childList: true });
	}`)
	flood := make([]string, 300)
	for i := range flood {
		flood[i] = `{"noom":"reaction","emoji":"🎉"}`
	}
	sends(t, g, append(flood, `{"noom":"state"}`)...)
	jiwoo.Wait("the last state, after a flood", hand(`named('고퍼')`)+` === ''`)
	if n := browsertest.Eval[[]int](jiwoo, `[most, all]`); n[0] == 0 || n[0] > 3 || n[1] > 100 {
		t.Errorf("of 300 reactions %d are shown, at most %d at once", n[1], n[0])
	}
}

// flaps comes and goes four times more: that is one line.
func flaps(t *testing.T, server string, tab *browsertest.Tab) {
	t.Helper()
	before := browsertest.Eval[int](tab, `document.querySelectorAll('#messages li').length`)
	for i := range 4 {
		room, err := noom.Join(t.Context(), ws.Dialer{URL: server + "/ws"}, "데모", &noom.Config{Name: "하은"})
		if err != nil {
			t.Fatal(err)
		}
		tab.Wait("하은 is there", `named('하은')`+map[bool]string{true: `?.dataset.state === 'connected'`}[i == 0])
		if i == 0 {
			sends(t, room, `{"noom":"state","hand":1e9}`)
			tab.Wait("a second hand", hand(own)+` === '손을 들었음, 2번째'`)
		}
		if err := room.Leave(context.Background()); err != nil {
			t.Fatal(err)
		}
		tab.Wait("하은 is gone, with the hand", `!named('하은') && `+hand(own)+` === '손을 들었음'`)
	}
	tab.Wait("one line for all of it", `((lines) => lines.length === `+fmt.Sprint(before+2)+` && lines.at(-1).textContent === '하은 님이 4번 들어왔다가 나갔습니다')([...document.querySelectorAll('#messages li')])`)
	tab.Screenshot("signs-flaps")
}
