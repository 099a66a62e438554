package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"noom/internal/browsertest"
)

// sits makes a page whose camera sees a landscape of three colours.
func sits(b *browsertest.Browser, server, name string, colours ...string) *browsertest.Tab {
	return b.Open(fmt.Sprintf("%s/?autojoin=1&name=%s#/데모", server, name), exposeRoom+fmt.Sprintf(`{
		const colours = %q.split(' ');
		navigator.mediaDevices.enumerateDevices = async () => [['videoinput', 'HD Camera'], ['audioinput', 'Headset']].map(([kind, label]) => ({ kind, label, deviceId: label }));
		navigator.mediaDevices.getUserMedia = async () => {
			const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
			const context = canvas.getContext('2d');
			const sky = context.createLinearGradient(0, 720, 1280, 0);
			colours.forEach((colour, i) => sky.addColorStop(i / (colours.length - 1), colour));
			context.fillStyle = sky;
			setInterval(() => context.fillRect(0, 0, 1280, 720), 50);
			const sound = new AudioContext().createMediaStreamDestination().stream;
			const [video, audio] = [canvas.captureStream(20).getVideoTracks()[0], sound.getAudioTracks()[0]];
			video.getSettings = () => ({ deviceId: 'HD Camera' });
			audio.getSettings = () => ({ deviceId: 'Headset' });
			return new MediaStream([video, audio]);
		};
	}`, strings.Join(colours, " ")))
}

// The picture in README.md, docs/call.png: made again with
//
//	NOOM_SCREENSHOTS=docs go test ./examples/browser-server -run Picture
func TestPicture(t *testing.T) {
	if os.Getenv("NOOM_SCREENSHOTS") == "" {
		t.Skip("makes a picture, where NOOM_SCREENSHOTS says")
	}
	server := serveHere(t)
	b := browsertest.Start(t)
	jiwoo := sits(b, server, "지우", "#3b1f55", "#c8648f", "#ffe0b5")
	jiwoo.Wait("in the call", inCall)
	others := make(map[string]*browsertest.Tab)
	for _, o := range []struct {
		name    string
		colours []string
	}{{"Bob", []string{"#1b2a4a", "#5a7fb5", "#f3bf86"}}, {"민준", []string{"#000", "#000"}}, {"Zoë", []string{"#2c5a4b", "#9cc39b", "#f5ead0"}}} {
		others[o.name] = sits(b, server, o.name, o.colours...)
		tileOf(jiwoo, o.name)
	}
	others["민준"].Click("#camera")
	others["민준"].Click("#mute")
	others["Zoë"].Click("#mute")
	for _, said := range []struct {
		by   *browsertest.Tab
		text string
	}{{others["Bob"], "Hi all! Does the new camera look right?"}, {jiwoo, "네, 아주 잘 보여요!"}, {others["민준"], "저는 오늘 카메라 없이 들어왔어요."}} {
		said.by.Fill("form#chat [name=text]", said.text)
		said.by.Click("form#chat button")
		jiwoo.Wait(said.text, fmt.Sprintf(`document.getElementById('messages').lastElementChild.textContent.endsWith(%q)`, said.text))
	}
	jiwoo.Wait("everyone's picture, but 민준's", `tiles().every((t) => t.dataset.state === 'connected' && (t.dataset.camera === 'off' || t.querySelector('video').videoWidth >= 640))
		&& named('민준').dataset.camera === 'off' && 'muted' in named('Zoë').dataset`)
	jiwoo.Do(`document.activeElement.blur()`)
	jiwoo.Resize(1200, 720)
	jiwoo.Wait("room for it", laidOut)
	jiwoo.Screenshot("call")
}
