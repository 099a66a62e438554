package main

import (
	"strings"
	"testing"

	"noom/internal/browsertest"
)

// An address in the chat is a link that tells its page nothing of ours, and nothing else is; each message has its time.
func TestLinksInChat(t *testing.T) { browsertest.EachKindIfAsked(t, testLinksInChat) }

func testLinksInChat(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab := enter(t, kind.Start(t).In("ko"), serveHere(t), "데모", "지우")
	const said = `여기 https://example.com/a?b=%EA%B0%80 보세요, <a href="javascript:alert(1)">여기</a>는 말고`
	tab.Fill("form#chat [name=text]", said)
	tab.Click("form#chat [type=submit]")
	says(tab, "지우 (나)"+said)
	links := browsertest.Eval[[]string](tab, `[...document.querySelectorAll('#messages a')].flatMap((a) => [a.href, a.textContent, a.rel, a.target])`)
	if len(links) != 4 || links[0] != "https://example.com/a?b=%EA%B0%80" || links[1] != links[0] || links[2] != "noopener noreferrer" || links[3] != "_blank" {
		t.Errorf("the links are %q", links)
	}
	tab.Wait("when that was", `(() => {
		const time = document.querySelector('#messages time');
		return Math.abs(Date.now() - Date.parse(time.dateTime)) < 120_000 && /(오전|오후) \d+:\d\d/.test(time.dataset.clock)
			&& time.getBoundingClientRect().width > 20;
	})()`)
	tab.Screenshot("chat-links")
}

// Whoever comes late sees what was said before, marked, in its order and before what is said then.
func TestEarlierChat(t *testing.T) { browsertest.EachKindIfAsked(t, testEarlierChat) }

func testEarlierChat(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	browser, url := kind.Start(t), serveHere(t)
	first := enter(t, browser.In("ko"), url, "데모", "지우")
	say := func(text string) {
		first.Fill("form#chat [name=text]", text)
		first.Click("form#chat [type=submit]")
		says(first, "지우 (나)"+text)
	}
	say("하나")
	say("둘")
	second := enter(t, browser.In("ko"), url, "데모", "늦은")
	second.Wait("what was said before", `document.querySelectorAll('#messages li.earlier').length === 2`)
	say("셋")
	says(second, "지우셋")
	got := browsertest.Eval[[]string](second, `[...document.querySelectorAll('#messages li:not(.system)')].map((li) => li.className + li.lastChild.dataset.clock.split(' ')[0] + li.textContent)`)
	if len(got) != 3 || got[0] != "earlier이전지우하나" || got[1] != "earlier이전지우둘" || !strings.HasSuffix(got[2], "지우셋") || strings.HasPrefix(got[2], "earlier") {
		t.Errorf("the newcomer sees %q", got)
	}
}
