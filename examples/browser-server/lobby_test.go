package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"noom/cmd/noom/serve"
	"noom/examples/browser-server/page"
	"noom/internal/browsertest"
	"noom/signal/hub"
	"noom/transport/ws"
)

// asks keeps what the page asks the browser for, and which loudspeaker its elements are given.
const asks = exposeRoom + `if (navigator.mediaDevices) {
	window.asked = [];
	const { mediaDevices } = navigator;
	const open = mediaDevices.getUserMedia.bind(mediaDevices);
	mediaDevices.getUserMedia = (wanted) => {
		asked.push(Object.keys(wanted).sort().join());
		window.wish = JSON.stringify(wanted.video?.deviceId ?? null);
		return window.refused ? Promise.reject(new DOMException('no', 'NotAllowedError')) : open(wanted);
	};
	const list = mediaDevices.enumerateDevices.bind(mediaDevices);
	window.plugged = [['internal', 'Laptop'], ['헤드폰', '헤드폰']];
	mediaDevices.enumerateDevices = async () => [...(await list()).filter((d) => d.kind !== 'audiooutput'),
		...plugged.map(([deviceId, label]) => ({ kind: 'audiooutput', deviceId, label, groupId: '' }))];
	HTMLMediaElement.prototype.setSinkId = async function (id) {
		this.dataset.sounds = id;
		Object.defineProperty(this, 'sinkId', { value: id, configurable: true });
	};
}`

// Camera and microphone are tried before the call, and nothing is opened, nor asked for, that is not wanted.
func TestPreview(t *testing.T) { browsertest.EachKind(t, testPreview) }

func testPreview(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	tab := kind.Start(t).Open(server+"/#/데모", asks)
	asked := func(what, want string) {
		t.Helper()
		if got := browsertest.Eval[string](tab, `asked.join(' ')`); got != want {
			t.Errorf("%s the page has asked for %q, want %q", what, got, want)
		}
	}
	const (
		video  = `document.getElementById('preview-video')`
		muted  = `document.getElementById('mute').ariaPressed`
		camera = `document.getElementById('camera').ariaPressed`
	)
	asked("before anything", "")
	tab.Click("#preview-toggle")
	tab.Wait("a picture, and sound", video+`.videoWidth > 0 && document.getElementById('preview-level').value > 0.2`)
	asked("for the preview", "audio,video")
	tab.Wait("what to choose from", `['cameras', 'microphones', 'speakers'].every((id) => document.getElementById('preview-' + id).checkVisibility() && document.getElementById('preview-' + id).options[0].label) && !`+shown("preview-blur"))
	tab.Screenshot("preview-desktop")
	tab.Resize(390, 844)
	tab.Screenshot("preview-phone")
	tab.Wait("no scrolling sideways, and one need not scroll to join", `document.getElementById('lobby').scrollWidth <= document.getElementById('lobby').clientWidth
		&& document.querySelector('#join button').getBoundingClientRect().bottom < innerHeight`)
	tab.Resize(1280, 800)
	tab.Do(`{
		const select = document.getElementById('preview-cameras');
		select.selectedIndex = select.options.length - 1;
		window.camera = select.value;
		select.dispatchEvent(new Event('change'));
	}`)
	tab.Wait("that camera and no other", `wish === JSON.stringify({ exact: camera }) && document.getElementById('preview-none').hidden`)
	tab.Do(`{
		window.seen = ` + video + `.srcObject.getTracks()[0];
		const select = document.getElementById('preview-speakers');
		select.value = '헤드폰';
		select.dispatchEvent(new Event('change'));
	}`)
	tab.Click("#join-camera")
	tab.Wait("no camera", `seen.readyState === 'ended' && !`+video+`.srcObject`)
	asked("without a camera", "audio,video video")

	tab.Fill("#join [name=name]", "지우")
	tab.Click("#join button")
	tab.Wait("in the call, heard and not seen", inCall+` && `+muted+` === 'false' && `+camera+` === 'true' && `+own+`.dataset.camera === 'off'`)
	asked("with a microphone that was open", "audio,video video")
	enterGo(t, server, "데모", "고퍼")
	tab.Wait("the chosen loudspeaker", `named('고퍼')?.querySelector('video').dataset.sounds === '헤드폰' && document.getElementById('speakers').value === '헤드폰'`)
	plug := func(which string) {
		tab.Do(fmt.Sprintf(`window.plugged = [['internal', 'Laptop'], %s], navigator.mediaDevices.dispatchEvent(new Event('devicechange'))`, which))
	}
	plug("")
	tab.Wait("the usual loudspeaker, by name and by ear", `((e) => e.value === '' && e.selectedOptions[0]?.textContent === 'The usual one' && e.options.length === 2)(document.getElementById('speakers'))
		&& named('고퍼').querySelector('video').dataset.sounds === ''`)
	plug(`['헤드폰', '헤드폰']`)
	tab.Wait("the chosen one again", `named('고퍼').querySelector('video').dataset.sounds === '헤드폰' && document.getElementById('speakers').value === '헤드폰'`)
	tab.Click("#camera")
	tab.Wait("seen", camera+` === 'false' && `+own+`.dataset.camera === 'on'`)
	asked("for a camera", "audio,video video video")

	tab.Click("#leave")
	tab.Reload()
	tab.Wait("the choice of before", shown("lobby")+` && document.getElementById('join-camera').ariaPressed === 'true' && document.getElementById('join-mute').ariaPressed === 'false'`)
	tab.Click("#join-mute")
	tab.Click("#join button")
	tab.Wait("in the call, neither heard nor seen", inCall+` && `+muted+` === 'true' && `+camera+` === 'true' && document.getElementById('notice').hidden`)
	asked("for nothing", "")
	tab.Click("#mute")
	tab.Wait("heard", muted+` === 'false'`)
	asked("for a microphone", "audio")
	tab.Click("#camera")
	tab.Wait("the camera of the last time, if it is there", camera+` === 'false' && JSON.parse(wish).ideal.length > 3`)

	tab.Click("#leave")
	tab.Do(`window.refused = true`)
	tab.Click("#join-mute")
	tab.Click("#preview-toggle")
	tab.Wait("why there is no preview", fmt.Sprintf(`%s.includes('may not use the camera') && %s`, text("notice"), shown("preview-none")))
	tab.Click("#join button")
	tab.Wait("in the call all the same", inCall+` && `+muted+` === 'true'`)
}

// Who types and presses Enter while the words of the page are still on their way joins when they are there.
func TestSentEarly(t *testing.T) { browsertest.EachKindIfAsked(t, testSentEarly) }

func testSentEarly(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	b := kind.Start(t)
	sentEarly(t, b, "데모", "데모")
	sentEarly(t, b, "", "초대받은 방") // the room in the address
}

func sentEarly(t *testing.T, b *browsertest.Browser, room, joined string) {
	t.Helper()
	const english = "pick a room, tell a friend" // in the file of that language
	h := hub.New(nil)
	whole := serve.Handler(page.Files, h, ws.AcceptOptions{})
	sent := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path.Ext(r.URL.Path) {
		case ".sent":
			close(sent)
		case ".js":
			answer := httptest.NewRecorder()
			whole.ServeHTTP(answer, r)
			if strings.Contains(answer.Body.String(), english) {
				select {
				case <-sent:
				case <-r.Context().Done():
				}
			}
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			_, _ = w.Write(answer.Body.Bytes()) // a page that went away
		default:
			whole.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = h.Shutdown(ctx) // the tab is gone or about to be
		server.Close()
	})
	tab := b.Open(server.URL+"/#/초대받은 방", exposeRoom+fmt.Sprintf(`{
		const typing = setInterval(() => {
			const form = document.getElementById('join');
			if (!form?.querySelector('button')) return;
			clearInterval(typing);
			window.wordless = form.querySelector('button').textContent === '';
			form.elements.name.value = '지우';
			form.elements.room.value = %q;
			form.requestSubmit();
			fetch('form.sent');
		}, 10);
	}`, room))
	defer tab.Close()
	tab.Wait("in the call", `!document.getElementById('call').hidden`)
	if !browsertest.Eval[bool](tab, `wordless`) {
		t.Error("the form was not sent early")
	}
	if got := browsertest.Eval[string](tab, `localStorage.getItem('name') + ' in ' + document.getElementById('room-name').textContent`); got != "지우 in "+joined {
		t.Errorf("the page has joined as %s", got)
	}
}
