package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"noom/internal/browsertest"
)

// saves keeps what the page saves, and which sound it mixes.
const saves = `
	window.saved = [];
	window.mixed = new Set();
	delete window.showSaveFilePicker;
	URL.createObjectURL = (blob) => { window.blob = blob; return '#'; };
	HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
	const source = AudioContext.prototype.createMediaStreamSource;
	AudioContext.prototype.createMediaStreamSource = function (stream) {
		const node = source.call(this, stream);
		mixed.add(node);
		const disconnect = node.disconnect;
		node.disconnect = function () { mixed.delete(node); disconnect.call(node); };
		return node;
	};
	window.contexts = [];
	window.AudioContext = class extends AudioContext {
		constructor(...args) { super(...args); contexts.push(this); }
	};
	window.recorders = [];
	window.MediaRecorder = class extends MediaRecorder {
		constructor(...args) { super(...args); recorders.push(this); }
	};
	window.written = { parts: 0, bytes: 0, closed: false };
	window.picker = async () => ({ name: 'monday.webm', createWritable: async () => ({
		write: async (part) => { written.parts++; written.bytes += part.size; },
		close: async () => { written.closed = true; },
	}) });
`

// A call is recorded, which everyone is told, and what is saved has the picture and the sound.
func TestRecording(t *testing.T) { browsertest.EachKindIfAsked(t, testRecording) }

func testRecording(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	b := kind.Start(t)
	tab := enterAfter(b, saves, server, "데모", "지우")
	g := enterGo(t, server, "데모", "고퍼")
	seesAndHears(t, tab, 1)
	const noMark = `!document.getElementById('recorded').checkVisibility() && !document.querySelector('.tile .records:not([hidden])')`
	tab.Wait("no mark", noMark)
	sends(t, g.Room, `{"noom":"state","records":true}`)
	tab.Wait("who records", text("recorded-who")+` === '고퍼 records this call' && named('고퍼').querySelector('.records').checkVisibility() && `+shown("recorded"))
	sends(t, g.Room, `{"noom":"state"}`)
	tab.Wait("no mark", noMark)

	tab.Click("#record")
	g.tell(t, "it records", func(s sign) bool { return s.Records }, "지우")
	tab.Wait("a mark of our own, and how far it is", text("recorded-who")+` === 'You record this call' && /^\d+:(0[3-9]|[1-5]\d) · (?!0\.0)\d+\.\d MB$/.test(`+text("recorded-how")+`) && document.getElementById('record').ariaPressed === 'true'`)
	tab.Screenshot("recording-desktop")
	tab.Resize(390, 844)
	tab.Screenshot("recording-phone")
	tab.Resize(1280, 800)
	tab.Wait("both sounds", `mixed.size === 2`)
	tab.Click("#mute")
	tab.Wait("not what is muted", `mixed.size === 1`)
	tab.Click("#mute")
	tab.Wait("both sounds", `mixed.size === 2`)
	tab.Click("#record")
	g.tell(t, "it records no longer", func(s sign) bool { return s.Noom == "state" && !s.Records }, "지우")
	tab.Wait("a file", `saved.length === 1 && blob.size > 20000 && `+noMark+` && document.getElementById('messages').lastElementChild.textContent === 'The recording is in ' + saved[0]`)
	if name := browsertest.Eval[string](tab, `saved[0]`); !regexp.MustCompile(`^noom-데모-\d{4}-\d\d-\d\d-\d{4}\.(webm|mp4)$`).MatchString(name) {
		t.Errorf("the file is called %q", name)
	}
	plays(t, b, browsertest.Eval[string](tab, `new Promise((resolve) => {
		const reader = new FileReader();
		reader.onload = () => resolve(reader.result);
		reader.readAsDataURL(blob);
	})`))

	tab.Click("#record")
	tab.Wait("another one", shown("recorded"))
	tab.Do(`recorders.at(-1).stop()`) // as after an error
	tab.Wait("it has ended by itself, and is saved", text("notice")+`.startsWith('The browser has ended the recording.') && saved.length === 2 && `+noMark)

	// Into a file that was chosen, until the call is left.
	tab.Do(`window.showSaveFilePicker = async () => { throw new DOMException('no', 'AbortError'); }`)
	tab.Click("#record")
	tab.Do(`window.showSaveFilePicker = picker`)
	tab.Click("#record")
	tab.Wait("it is written meanwhile", `written.parts > 1 && written.bytes > 5000 && !written.closed`)
	tab.Click("#leave")
	tab.Wait("all of it", `written.closed && saved.length === 2 && mixed.size === 0 && `+text("notice")+` === 'The recording is in monday.webm' && `+shown("lobby"))
	tab.Wait("nothing of it left", `contexts.length > 0 && contexts.every((context) => context.state === 'closed') && dispatchEvent(new Event('beforeunload', { cancelable: true }))`)
}

// plays plays a file, a data URL, in a page of its own.
func plays(t *testing.T, b *browsertest.Browser, file string) {
	t.Helper()
	head, body, _ := strings.Cut(file, ",")
	content, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/file" {
			w.Header().Set("Content-Type", strings.TrimSuffix(strings.TrimPrefix(head, "data:"), ";base64"))
			_, _ = w.Write(content) // a page that went away
			return
		}
		_, _ = fmt.Fprint(w, `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><video src="/file" muted autoplay></video>`) // the same
	}))
	t.Cleanup(server.Close)
	tab := b.Open(server.URL, "")
	tab.Wait("a moving picture of the call", `((video) => video.videoWidth >= 400 && video.videoHeight >= 400 && video.currentTime > 0.5)(document.querySelector('video'))`)
	tab.Wait("which is not dark", `((video) => {
		const c = document.createElement('canvas').getContext('2d');
		c.drawImage(video, 0, 0, 300, 150);
		return Math.max(...c.getImageData(150, 75, 1, 1).data.slice(0, 3)) > 100;
	})(document.querySelector('video'))`)
	tab.Screenshot("recording-file")
	tab.Do(`document.querySelector('video').currentTime = 1e6`) // browsers find the end so
	tab.Wait("some seconds of it", `((video) => video.duration > 2 && video.duration < 600)(document.querySelector('video'))`)
	tab.Wait("sound", `(async () => {
		const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(await (await fetch('/file')).arrayBuffer());
		return sound.duration > 2 && sound.getChannelData(0).some((sample) => Math.abs(sample) > 0.01);
	})()`)
}
