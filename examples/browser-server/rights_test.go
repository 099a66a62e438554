package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/signal"
	"noom/signal/hub/token"
	"noom/transport/ws"
)

// issue makes a key, and gives its public half as -token-key needs it, and what signs tokens for
// the room 데모 with it.
func issue(t *testing.T) (file string, sign func(signal.Rights) string) {
	t.Helper()
	private, public := token.NewKey()
	file = filepath.Join(t.TempDir(), "hub.pub.pem")
	if err := os.WriteFile(file, public, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := token.ParseKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return file, func(rights signal.Rights) string {
		text, err := token.Sign(key, token.Claims{Room: "데모", Rights: rights, Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// enterBy is enter into the room "데모", with a token.
func enterBy(b *browsertest.Browser, server, name, token string) *browsertest.Tab {
	return b.Open(fmt.Sprintf("%s/?autojoin=1&name=%s#/%s?token=%s", server, url.QueryEscape(name), url.PathEscape("데모"), token), exposeRoom)
}

const inCall = `!document.getElementById('call').hidden`

// shown is whether a person can see an element.
func shown(id string) string {
	return fmt.Sprintf(`document.getElementById(%q).checkVisibility()`, id)
}

// text is what an element says.
func text(id string) string { return fmt.Sprintf(`document.getElementById(%q).textContent`, id) }

// says waits for the last line of the chat panel, which says what happened.
func says(tab *browsertest.Tab, line string) {
	tab.Wait(line, fmt.Sprintf(`document.getElementById('messages').lastElementChild.textContent === %q`, line))
}

// tileOf is the selector of a member's tile.
func tileOf(tab *browsertest.Tab, name string) string {
	tab.Wait(name+" is there", fmt.Sprintf(`named(%q)`, name))
	return fmt.Sprintf(`[data-member=%q]`, browsertest.Eval[string](tab, fmt.Sprintf(`named(%q).dataset.member`, name)))
}

// manages presses the button on a member's tile and waits for the question.
func manages(tab *browsertest.Tab, name string) {
	// Not with the mouse: a tile may move just then, as pictures come.
	tab.Do(fmt.Sprintf(`document.querySelector('%s .manage').click()`, tileOf(tab, name)))
	tab.Wait("what to do about "+name, fmt.Sprintf(`document.getElementById('ask').open && %s === %q`, text("ask-title"), name))
}

func chooses(tab *browsertest.Tab, key string) {
	tab.Click(fmt.Sprintf(`#ask [data-choice=%q]`, key))
}

// A host, whose page is Korean, presses every button that a right gives, and
// two guests, in English, see what comes of it.
func TestRights(t *testing.T) { browsertest.EachAlikeIfAsked(t, testRights) }

func testRights(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	file, sign := issue(t)
	server := serveHere(t, "-token-key", file)
	b1, b2 := kinds.One.Start(t).In("ko"), kinds.Two.Start(t)
	host := enterBy(b1, server, "선생님", sign(signal.AllRights()))
	host.Wait("in the call", inCall)
	minjun, zoe := enter(t, b2, server, "데모", "민준"), enter(t, b2, server, "데모", "Zoë")
	seesAndHears(t, host, 2)
	seesAndHears(t, minjun, 2)

	if browsertest.Eval[bool](host, `location.href.includes('token')`) {
		t.Error("the token stands in the address, which people copy")
	}
	const buttons = `[...document.querySelectorAll('#lock-room, #close-room, .manage')].filter((e) => e.checkVisibility()).length`
	if n := browsertest.Eval[int](minjun, buttons); n != 0 {
		t.Errorf("a guest sees %d buttons for what it may not do", n)
	}
	host.Wait("the host's buttons", buttons+` === 4`)

	asksToMute(t, host, minjun)
	locks(t, b2, server, host, minjun)
	removes(host, minjun, zoe)
	fits(host)
	host.Reload()
	host.Wait("in the call, with the same rights", inCall+" && "+shown("lock-room"))
	seesAndHears(t, host, 1)
	closes(host, zoe)
}

// asksToMute asks thrice: the guest agrees, declines, and mutes by itself.
// Nothing is muted but by the guest.
func asksToMute(t *testing.T, host, guest *browsertest.Tab) {
	t.Helper()
	tile := tileOf(host, "민준")
	ask := func() {
		manages(host, "민준")
		host.Screenshot("rights-member")
		chooses(host, "mute")
		says(host, "민준 님에게 음소거를 부탁했습니다")
		guest.Wait("the wish, and who has it", shown("asked")+` && `+text("asked-what")+` === '선생님 asks you to mute your microphone.'`)
		if browsertest.Eval[string](guest, `document.getElementById('mute').ariaPressed`) != "false" {
			t.Error("a guest was muted without being asked")
		}
	}
	ask()
	guest.Screenshot("rights-asked")
	guest.Resize(390, 844)
	guest.Screenshot("rights-asked-phone")
	guest.Resize(1280, 800)
	guest.Click("#asked-yes")
	const muted, open = `document.getElementById('mute').ariaPressed === 'true'`, `document.getElementById('mute').ariaPressed === 'false'`
	guest.Wait("muted", muted+` && !`+shown("asked"))
	host.Wait("the mark", fmt.Sprintf(`'muted' in document.querySelector(%q).dataset`, tile))
	manages(host, "민준")
	host.Wait("nothing to ask", `document.querySelector('#ask [data-choice="mute"]').disabled`)
	host.Keys("\r") // the cursor is on what does nothing
	host.Wait("no question any more", `!document.getElementById('ask').open`)

	guest.Click("#mute")
	host.Wait("no mark", fmt.Sprintf(`!('muted' in document.querySelector(%q).dataset)`, tile))
	ask()
	guest.Click("#asked-no")
	guest.Wait("as before", open+` && !`+shown("asked"))
	ask()
	guest.Click("#mute")
	guest.Wait("the wish is met", muted+` && !`+shown("asked"))
}

// locks locks the room, so that another member stays outside, and unlocks it.
func locks(t *testing.T, b *browsertest.Browser, server string, host, guest *browsertest.Tab) {
	t.Helper()
	host.Click("#lock-room")
	host.Wait("a button that is pressed", `document.getElementById('lock-room').ariaPressed === 'true' && document.getElementById('lock-room').title === '방 잠금 풀기'`)
	says(host, "방을 잠갔습니다")
	says(guest, "선생님 locked the room")
	guest.Wait("the mark of a locked room", shown("locked"))
	guest.Screenshot("rights-locked")
	late := b.Open(server+"/?autojoin=1&name=하은#/데모", exposeRoom)
	late.Wait("a locked door", text("notice")+` === 'The room is locked.' && `+shown("lobby"))
	host.Click("#lock-room")
	says(host, "방의 잠금을 풀었습니다")
	says(guest, "선생님 unlocked the room")
	guest.Wait("no mark", `!`+shown("locked"))
	late.Click("#join button")
	late.Wait("in the call", inCall)
	late.Close()
	guest.Wait("gone again", `tiles().length === 2`)
}

// removes removes a guest, after it was asked for and taken back.
func removes(host, guest, other *browsertest.Tab) {
	for _, sure := range []bool{false, true} {
		manages(host, "민준")
		chooses(host, "remove")
		host.Wait("whether that is meant", `document.getElementById('ask').open && `+text("ask-title")+` === '민준 님을 내보낼까요?'`)
		host.Screenshot("rights-remove")
		if !sure {
			host.Click("#ask > button")
			host.Wait("nothing happened", `!document.getElementById('ask').open && named('민준')?.dataset.state === 'connected'`)
			continue
		}
		chooses(host, "yes")
	}
	says(host, "민준 님이 방에서 내보내졌습니다")
	says(other, "민준 was removed")
	const out = `document.getElementById('notice').textContent === 'You were removed from the room.' && document.getElementById('lobby').checkVisibility()`
	guest.Wait("out", out)
	guest.Screenshot("rights-removed")
	guest.Do(`document.getElementById('notice').textContent = ''`)
	guest.Click("#join button")
	guest.Wait("out, and out it stays", out)
	for _, tab := range []*browsertest.Tab{host, other} {
		tab.Wait("one tile less", `tiles().length === 1 && !named('민준')`)
	}
}

// fits looks at the host's page in every size.
func fits(host *browsertest.Tab) {
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1280, 800}, {"phone", 390, 844}, {"across", 844, 390}, {"small", 320, 568}} {
		host.Resize(size.width, size.height)
		host.Wait("a layout of "+size.name, laidOut)
		host.Screenshot("rights-host-" + size.name)
		manages(host, "Zoë")
		host.Wait("the question within the page", `(({ left, right, top, bottom }) => left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight)(document.getElementById('ask').getBoundingClientRect())`)
		host.Screenshot("rights-member-" + size.name)
		host.Keys("\x1b")
		host.Wait("no question any more", `!document.getElementById('ask').open`)
	}
	host.Resize(1280, 800)
}

// closes closes the room for everyone, after it was asked for and taken back.
func closes(host, guest *browsertest.Tab) {
	host.Click("#close-room")
	host.Wait("whether that is meant", text("ask-title")+` === '데모 방을 닫을까요?' && document.getElementById('ask').open`)
	host.Screenshot("rights-close")
	host.Keys("\x1b")
	host.Wait("nothing happened", `!document.getElementById('ask').open && tiles()[0].dataset.state === 'connected'`)
	host.Click("#close-room")
	chooses(host, "yes")
	host.Wait("the lobby", text("notice")+` === '방이 닫혔습니다.' && `+shown("lobby"))
	guest.Wait("the lobby", text("notice")+` === 'The room was closed.' && `+shown("lobby"))
}

// A token may give less than others have, or be no good.
func TestFewerRights(t *testing.T) { browsertest.EachPairIfAsked(t, testFewerRights) }

func testFewerRights(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	file, sign := issue(t)
	server := serveHere(t, "-token-key", file)
	b1, b2 := kinds.Start(t)
	b1, b2 = b1.In("ko"), b2.In("ko")
	jiwoo := enter(t, b1, server, "데모", "지우")
	viewer := enterBy(b2, server, "관객", sign(signal.Rights{}))
	viewer.Wait("moving pictures", inCall+` && tiles()[0].querySelector('video').videoWidth > 0`)
	viewer.Screenshot("rights-viewer")
	for _, id := range []string{"mute", "camera", "screen", "cameras", "microphones", "chat"} {
		if browsertest.Eval[bool](viewer, shown(id)) {
			t.Errorf("a member that may only watch sees %s", id)
		}
	}
	viewer.Keys("mv\r") // and the keys do nothing either
	viewer.Wait("nothing is sent", text("notice")+` === '' && !document.querySelector('[data-self] video').srcObject?.getTracks().length`)
	jiwoo.Wait("somebody without sound and picture", `named('관객').dataset.state === 'connected' && named('관객').dataset.camera === 'off' && 'muted' in named('관객').dataset`)
	viewer.Wait("a peer that may publish", `tiles()[0].dataset.state === 'connected'`)

	forged := enterBy(b2, server, "누구", "e30.e30.AAAA")
	forged.Wait("no entry, and why", text("notice")+`.includes('토큰을 여기서는 쓸 수 없거나') && `+shown("lobby"))
	forged.Screenshot("rights-refused")
	forged.Click("#join button") // and without it as everybody
	forged.Wait("in the call", inCall+` && !`+shown("lock-room"))
}

// A Go member asks for more than the microphone: one button does what is asked,
// the shared screen included, and names what it does.
func TestAskedByGo(t *testing.T) { browsertest.EachKind(t, testAskedByGo) }

func testAskedByGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	file, sign := issue(t)
	server := serveHere(t, "-token-key", file)
	host, err := noom.Join(t.Context(), ws.Dialer{URL: server + "/ws"}, "데모", &noom.Config{Name: "고퍼", Token: sign(signal.Rights{signal.RightMute, signal.RightChat})})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = host.Leave(context.Background()) }() // the test is over
	tab := enter(t, kind.Start(t), server, "데모", "지우")
	tab.Wait("the call", `named('고퍼')?.dataset.state === 'connected'`)
	asks := func(track, words, does string) {
		if err := host.Peers()[0].RequestMute(t.Context(), track); err != nil {
			t.Fatal(err)
		}
		tab.Wait(words, shown("asked")+fmt.Sprintf(` && %s === %q && %s === %q`, text("asked-what"), words, text("asked-yes"), does))
	}
	const state = `['mute', 'camera', 'screen'].map((id) => document.getElementById(id).ariaPressed).join()`
	asks("camera", "고퍼 asks you to turn your camera off.", "Camera off")
	tab.Click("#asked-yes")
	tab.Wait("the camera off, and nothing else", state+` === 'false,true,false' && !`+shown("asked"))
	tab.Click("#camera")
	tab.Click("#screen")
	tab.Wait("a shared screen", state+` === 'false,false,true'`)
	asks("", "고퍼 asks you to mute your microphone and turn your camera off.", "Turn both off")
	tab.Click("#asked-yes")
	tab.Wait("everything off", state+` === 'true,true,false' && !`+shown("asked"))

	// What is off already is no wish, and neither is a track that there is not.
	for _, track := range []string{"microphone", "없는 것"} {
		if err := host.Peers()[0].RequestMute(t.Context(), track); err != nil {
			t.Fatal(err)
		}
	}
	if err := host.Chat(t.Context(), "다 들었어요?"); err != nil { // behind them
		t.Fatal(err)
	}
	says(tab, "고퍼다 들었어요?")
	if browsertest.Eval[bool](tab, shown("asked")) {
		t.Error("the page asks for what is done")
	}
}
