package main

import (
	"fmt"
	"testing"

	"noom/internal/browsertest"
)

// The page with 1, 2, 4 and 9 members, on a desktop and on a phone: every tile
// is wholly on the page, none covers another but our own that floats, together they fill a fair part
// of the stage, and every control can be reached. With NOOM_SCREENSHOTS there
// are pictures to look at.
func TestLook(t *testing.T) { browsertest.EachKindIfAsked(t, testLook) }

func testLook(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	b := kind.Start(t)
	lobby := b.Open(server+"/#/데모", "")
	lobby.Screenshot("lobby-desktop")
	lobby.Resize(390, 844)
	lobby.Screenshot("lobby-phone")
	tab := enter(t, b, server, "데모", "지우")
	names := []string{"bob", "고퍼", "Marguerite de la Tour-Saint-Amand", "민준", "Zoë", "서연", "Ifeanyi", "하은"}
	present := 0
	for _, members := range []int{1, 2, 4, 9} {
		for ; present < members-1; present++ {
			enterGo(t, server, "데모", names[present])
		}
		if present > 0 {
			seesAndHears(t, tab, present)
		}
		for _, size := range []struct {
			name          string
			width, height int64
			dark          bool
		}{{"desktop", 1280, 800, false}, {"phone", 390, 844, true}, {"across", 844, 390, false}, {"small", 320, 568, false}} {
			tab.Resize(size.width, size.height)
			tab.Media("prefers-color-scheme", map[bool]string{true: "dark", false: "light"}[size.dark])
			what := fmt.Sprintf("%d-%s", members, size.name)
			tab.Wait("a layout of "+what, laidOut)
			tab.Screenshot(what)
		}
	}
}

const laidOut = `(() => {
	const box = (e) => e.getBoundingClientRect();
	const stage = box(document.getElementById('tiles'));
	const tiles = [...document.querySelectorAll('.tile:not([data-place="float"])')].map(box);
	const floating = [...document.querySelectorAll('.tile[data-place="float"]')].map(box);
	const inside = (b, o) => b.left >= o.left - 1 && b.right <= o.right + 1 && b.top >= o.top - 1 && b.bottom <= o.bottom + 1;
	const apart = tiles.every((a, i) => tiles.slice(i + 1).every((b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top));
	const filled = tiles.reduce((sum, b) => sum + b.width * b.height, 0) / (stage.width * stage.height);
	const page = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
	const controls = [...document.querySelectorAll('header button, header input, footer button')].map(box).filter((b) => b.width > 0);
	return [...tiles, ...floating].every((b) => inside(b, stage)) && tiles.length > 0 && apart && filled > 0.6
		&& controls.length >= 7 && controls.every((b) => inside(b, page) && b.width >= 24 && b.height >= 24)
		&& document.documentElement.scrollWidth <= innerWidth;
})()`
