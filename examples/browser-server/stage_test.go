package main

import (
	"fmt"
	"testing"

	"noom"
	"noom/internal/browsertest"
	"noom/media"
)

// atPlace is whether the tile that an expression gives is at a place: stage, strip, grid or float.
func atPlace(tile, place string) string {
	return fmt.Sprintf(`%s.dataset.place === %q`, tile, place)
}

// boxOf makes JavaScript that has the boxes of a tile and of all of them.
const boxOf = `(tile) => [tile.getBoundingClientRect(), document.getElementById('tiles').getBoundingClientRect()]`

const (
	own    = `document.querySelector('[data-self]')`
	screen = `document.querySelector('[data-screen]')`
	member = `named('고퍼')`
)

// A shared screen takes the stage, pictures are pinned and shown on the full screen, and our own floats: in a corner that a
// pointer, a key or a press chooses, until it is hidden.
func TestStage(t *testing.T) { browsertest.EachKindIfAsked(t, testStage) }

func testStage(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	tab := enter(t, kind.Start(t, browsertest.FocusIsOurs), server, "데모", "지우")
	tab.Wait("our own picture alone", atPlace(own, "grid")+` && ![...`+own+`.querySelectorAll('.options button')].some((e) => e.checkVisibility())`)
	g := enterGo(t, server, "데모", "고퍼")
	seesAndHears(t, tab, 1)
	tab.Wait("a call of two", atPlace(member, "grid")+" && "+atPlace(own, "float"))
	floats(t, tab)
	hides(tab)

	shared := media.TestPattern(nil)
	t.Cleanup(func() { _ = shared.Close() }) // nothing to lose
	sender, err := g.Publish(t.Context(), shared, &noom.PublishOptions{Name: "screen"})
	if err != nil {
		t.Fatal(err)
	}
	tab.Wait("a screen on the stage", screen+`.querySelector('video').videoWidth > 0 && `+atPlace(screen, "stage")+" && "+atPlace(member, "strip"))
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1280, 800}, {"across", 844, 390}, {"phone", 390, 844}} {
		tab.Resize(size.width, size.height)
		tab.Wait("a large screen on a "+size.name, laidOut+` && ((b) => (([tile, all]) => tile.width * tile.height > 0.38 * all.width * all.height
			&& Math.min(tile.width, tile.height * 16 / 9) > 0.7 * Math.min(all.width, all.height * 16 / 9))(b(`+screen+`)))(`+boxOf+`)`)
		tab.Screenshot("stage-" + size.name)
	}
	tab.Wait("all of a phone's width", screen+`.getBoundingClientRect().width > 370`)
	tab.Resize(1280, 800)

	pins(tab)
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	tab.Wait("no screen", `!`+screen+` && `+atPlace(member, "grid"))
}

// floats moves our own picture through the corners.
func floats(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	corner := func(what, where string) {
		t.Helper()
		tab.Wait(what+" moves it to the "+where, fmt.Sprintf(`((b) => (([tile, all]) => (tile.y < all.y + all.height / 2 ? 'top ' : 'bottom ') + (tile.x < all.x + all.width / 2 ? 'left' : 'right') === %q
			&& tile.x >= all.x && tile.right <= all.right && tile.y >= all.y && tile.bottom <= all.bottom)(b(%s)))(%s)`, where, own, boxOf))
	}
	corner("nothing", "bottom right")
	for _, k := range [][2]string{{"ArrowUp", "top right"}, {"ArrowLeft", "top left"}, {"ArrowDown", "bottom left"}, {"ArrowRight", "bottom right"}} {
		tab.Do(fmt.Sprintf(`{
			const button = %s.querySelector('.move');
			button.focus();
			button.dispatchEvent(new KeyboardEvent('keydown', { key: %q, bubbles: true, cancelable: true }));
		}`, own, k[0]))
		corner(k[0], k[1])
	}
	tab.Keys("\r")
	corner("a press", "bottom left")
	const drag = `{
		const tile = document.querySelector('[data-self]');
		const { x, y } = tile.getBoundingClientRect();
		const to = document.getElementById('tiles').getBoundingClientRect();
		const at = (type, clientX, clientY) => new PointerEvent(type, { clientX, clientY, pointerId: 7, isPrimary: true, button: 0, bubbles: true, cancelable: true });
		tile.dispatchEvent(at('pointerdown', x + 10, y + 10));
		tile.dispatchEvent(at('pointermove', to.right - 60, to.y + 40));
		window.dragged = getComputedStyle(tile).translate;
		tile.dispatchEvent(at('pointerup', to.right - 60, to.y + 40));
		tile.querySelector('.hide').click(); // as browsers do where a drag ends on a button
	}`
	tab.Do(drag)
	corner("a drag", "top right")
	tab.Wait("it was under the pointer meanwhile", `dragged !== 'none' && !('hidden' in `+own+`.dataset)`)
	tab.Do(`document.activeElement.blur()`)
	tab.Screenshot("stage-two")
}

// hides hides our own picture, and shows it again.
func hides(tab *browsertest.Tab) {
	const video = own + `.querySelector('video').checkVisibility()`
	tab.Do(own + `.querySelector('.hide').click()`)
	tab.Wait("no picture of our own", `!`+video+` && `+own+`.querySelector('.hide').checkVisibility() && `+own+`.querySelector('.hide').ariaLabel === 'Show my picture'`)
	tab.Screenshot("stage-hidden")
	tab.Do(own + `.querySelector('.hide').click()`)
	tab.Wait("our own picture", video)
	tab.Wait("both are kept", `localStorage.getItem('self hidden') === 'no' && localStorage.getItem('self corner') === 'top right'`)
}

// pins puts the member on the stage and takes it away, and makes it fill the screen.
func pins(tab *browsertest.Tab) {
	tab.Do(member + `.querySelector('.pin').focus()`)
	tab.Keys("\r")
	tab.Wait("the member on the stage", atPlace(member, "stage")+" && "+atPlace(screen, "strip")+` && `+member+`.querySelector('.pin').ariaPressed === 'true' && `+laidOut)
	tab.Screenshot("stage-pinned")
	tab.Wait("its buttons, clear of our own picture", `((a, b) => a.right < b.left || b.right < a.left || a.bottom < b.top || b.bottom < a.top)(`+
		member+`.querySelector('.options').getBoundingClientRect(), `+own+`.getBoundingClientRect())`)
	tab.Do(member + `.querySelector('.full').focus()`)
	tab.Keys("\r")
	tab.Wait("the whole screen", `document.fullscreenElement === `+member+` && `+member+`.getBoundingClientRect().width >= innerWidth`)
	tab.Do(`document.exitFullscreen()`)
	tab.Wait("as before", `!document.fullscreenElement`)
	tab.Do(member + `.querySelector('.pin').click()`)
	tab.Wait("the screen on the stage", atPlace(screen, "stage"))
	tab.Do(`Element.prototype.requestFullscreen = async function () { window.filled = this; };
		` + screen + `.querySelector('video').dispatchEvent(new MouseEvent('dblclick', { bubbles: true }))`)
	tab.Wait("a double click does it too", `filled === `+screen)
	tab.Do(`HTMLVideoElement.prototype.requestPictureInPicture = async function () { window.floating = this; };
		` + screen + `.querySelector('.window').click()`)
	tab.Wait("a window of its own, where there are any", `document.pictureInPictureEnabled ? floating === `+screen+`.querySelector('video') : `+screen+`.querySelector('.window').hidden`)
	tab.Do(`{
		document.activeElement.blur();
		window.pin = getComputedStyle(` + member + `.querySelector('.pin'));
		window.before = pin.pointerEvents;
		` + member + `.querySelector('video').dispatchEvent(new PointerEvent('pointerup', { pointerType: 'touch', bubbles: true }));
	}`)
	tab.Wait("a finger shows the buttons", `before === 'none' && pin.pointerEvents === 'auto'`)
}

// Of more than nine the one that spoke last is larger, until there are fewer. The tiles are drawn without members, who would
// cost a lot.
func TestSpeakerOfACrowd(t *testing.T) { browsertest.EachKindIfAsked(t, testSpeakerOfACrowd) }

func testSpeakerOfACrowd(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab := enter(t, kind.Start(t), serveHere(t), "데모", "지우")
	tab.Do(`import('./page.js').then(({ Tile }) => {
		window.crowd = Array.from({ length: 9 }, (_, i) => Object.assign(new Tile({ member: 'm' + i }), { name: '하은 ' + i, state: 'connected' }));
	})`)
	const places = `[...document.querySelectorAll('.tile')].map((tile) => tile.dataset.place === 'stage' ? ' ' + tile.dataset.member + ' ' : tile.dataset.place[0]).join('')`
	shows := func(what, want string) {
		t.Helper()
		tab.Wait(what, places+fmt.Sprintf(` === %q && `, want)+laidOut)
	}
	shows("ten equals, while nobody speaks", "gggggggggg")
	tab.Do(`crowd[3].speaking = true`)
	shows("the speaker", "ssss m3 sssss")
	tab.Screenshot("crowd")
	tab.Do(`crowd[3].speaking = false`)
	shows("the one that spoke last", "ssss m3 sssss")
	tab.Do(`crowd[5].speaking = true`)
	shows("another one", "ssssss m5 sss")
	tab.Do(`crowd[0].remove()`)
	shows("nine equals", "ggggggggg")
}
