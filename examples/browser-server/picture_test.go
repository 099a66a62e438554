package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"noom/internal/browsertest"
)

// sits makes a page whose camera sees somebody in front of a wall: look is two colours of the wall, those of the skin, the hair
// and the clothes, and how long the hair is.
func sits(b *browsertest.Browser, server, name string, look ...string) *browsertest.Tab {
	return b.Open(fmt.Sprintf("%s/?autojoin=1&name=%s#/데모", server, name), exposeRoom+fmt.Sprintf(`{
		const [light, dark, skin, hair, clothes, length] = %q.split(' ');
		navigator.mediaDevices.enumerateDevices = async () => [['videoinput', 'HD Camera'], ['audioinput', 'Headset']].map(([kind, label]) => ({ kind, label, deviceId: label }));
		navigator.mediaDevices.getUserMedia = async () => {
			const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
			const context = canvas.getContext('2d');
			const wall = context.createRadialGradient(900, 120, 80, 640, 360, 900);
			wall.addColorStop(0, light);
			wall.addColorStop(1, dark);
			const fill = (colour, draw) => {
				context.fillStyle = colour;
				context.beginPath();
				draw();
				context.fill();
			};
			setInterval(() => {
				fill(wall, () => context.rect(0, 0, 1280, 720));
				fill(hair, () => context.ellipse(640, 190 + Number(length), 138 + length / 10, length, 0, 0, 7));
				fill(clothes, () => context.ellipse(640, 800, 340, 280, 0, 0, 7));
				fill(skin, () => context.roundRect(590, 440, 100, 130, 45));
				fill(skin, () => context.ellipse(640, 345, 118, 150, 0, 0, 7));
				fill(hair, () => context.ellipse(640, 235, 128, 78, 0, 0, 7));
			}, 200);
			const sound = new AudioContext().createMediaStreamDestination().stream;
			const [video, audio] = [canvas.captureStream(5).getVideoTracks()[0], sound.getAudioTracks()[0]];
			video.getSettings = () => ({ deviceId: 'HD Camera' });
			audio.getSettings = () => ({ deviceId: 'Headset' });
			return new MediaStream([video, audio]);
		};
	}`, strings.Join(look, " ")))
}

// The picture in README.md, docs/call.png: made again with
//
//	NOOM_SCREENSHOTS=$PWD/docs go test ./examples/browser-server -run Picture
func TestPicture(t *testing.T) {
	if os.Getenv("NOOM_SCREENSHOTS") == "" {
		t.Skip("makes a picture, where NOOM_SCREENSHOTS says")
	}
	server := serveHere(t)
	b := browsertest.Start(t)
	jiwoo := sits(b, server, "지우", "#ffe9d2", "#c98a7b", "#f0c7a6", "#2b1d1a", "#3457d5", "220")
	jiwoo.Wait("in the call", inCall)
	others := make(map[string]*browsertest.Tab)
	for _, o := range []struct {
		name string
		look []string
	}{
		{"Bob", []string{"#dfe9f5", "#6d88ad", "#e8b795", "#8a5a2b", "#22324f", "110"}},
		{"Zoë", []string{"#f3f0df", "#7c9c82", "#f4cfb4", "#b5482f", "#e9e4d4", "190"}},
		{"민준", []string{"#000", "#000", "#000", "#000", "#000", "0"}},
		{"Ifeanyi", []string{"#fff0c9", "#b98a4a", "#6d4430", "#1c1412", "#2f7d6b", "95"}},
		{"서연", []string{"#efe6fa", "#8b79b3", "#f2cdae", "#17131a", "#b34d6d", "270"}},
	} {
		others[o.name] = sits(b, server, o.name, o.look...)
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
		said.by.Click("form#chat [type=submit]")
		jiwoo.Wait(said.text, fmt.Sprintf(`document.getElementById('messages').lastElementChild.textContent.endsWith(%q)`, said.text))
	}
	jiwoo.Wait("everyone's picture, but 민준's", `tiles().every((t) => t.dataset.state === 'connected' && (t.dataset.camera === 'off' || t.querySelector('video').videoWidth >= 640))
		&& named('민준').dataset.camera === 'off' && 'muted' in named('Zoë').dataset`)
	jiwoo.Do(`document.activeElement.blur()`)
	jiwoo.Resize(1280, 760)
	jiwoo.Wait("room for it", laidOut+` && tiles().every((t) => t.dataset.quality === 'good')`)
	jiwoo.Screenshot("call")
}
