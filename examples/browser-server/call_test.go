package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"

	"noom/internal/browsertest"
)

// serveHere runs the program on a free port until the test ends and returns
// the URL it prints.
func serveHere(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	exited := make(chan int, 1)
	go func() { exited <- run(ctx, []string{"-addr", "127.0.0.1:0"}, write, os.Stderr) }()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if code := <-exited; code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	return strings.TrimSpace(line[strings.Index(line, "http"):])
}

// exposeRoom is run before the page's own scripts: it lets a test see the
// page's connections, and so its statistics.
const exposeRoom = `
	window.connections = [];
	window.RTCPeerConnection = class extends RTCPeerConnection {
		constructor(...args) { super(...args); window.connections.push(this); }
	};
	// Sums a field of the statistics of all living connections.
	window.stat = async (type, kind, field) => {
		let sum = 0;
		for (const c of window.connections) {
			if (c.connectionState === 'closed') continue;
			for (const s of (await c.getStats()).values()) {
				if (s.type === type && (!kind || s.kind === kind)) sum += s[field] ?? 0;
			}
		}
		return sum;
	};
	// The average colour of a video's picture.
	window.colour = (video) => {
		const canvas = document.createElement('canvas');
		canvas.width = canvas.height = 8;
		const context = canvas.getContext('2d', { willReadFrequently: true });
		context.drawImage(video, 0, 0, 8, 8);
		const d = context.getImageData(0, 0, 8, 8).data;
		const sum = [0, 0, 0];
		for (let i = 0; i < d.length; i += 4) for (let c = 0; c < 3; c++) sum[c] += d[i + c];
		return sum.map((v) => Math.round(v / 64));
	};
	window.tiles = () => [...document.querySelectorAll('[data-member]')];
	window.named = (name) => window.tiles().find((t) => t.querySelector('[data-name]').textContent === name);
`

// enter opens the page in a new tab and joins room as name.
func enter(t *testing.T, b *browsertest.Browser, server, room, name string) *browsertest.Tab {
	t.Helper()
	tab := b.Open(fmt.Sprintf("%s/?autojoin=1&name=%s#/%s", server, url.QueryEscape(name), url.PathEscape(room)), exposeRoom)
	tab.Wait(name+" is in the call", `!document.getElementById('call').hidden`)
	return tab
}

// seesAndHears waits until the tab decodes moving pictures and sound from so many others.
func seesAndHears(t *testing.T, tab *browsertest.Tab, others int) {
	t.Helper()
	tab.Wait(fmt.Sprintf("%d tiles", others), fmt.Sprintf(`tiles().length === %d`, others))
	tab.Wait("every tile connected", `tiles().every((t) => t.dataset.state === 'connected')`)
	tab.Wait("every picture is there", `tiles().every((t) => t.querySelector('video').videoWidth > 0)`)
	tab.Wait("frames are decoded", `(async () => {
		const before = await stat('inbound-rtp', 'video', 'framesDecoded');
		await new Promise((resolve) => setTimeout(resolve, 300));
		return before > 0 && (await stat('inbound-rtp', 'video', 'framesDecoded')) > before;
	})()`)
	tab.Wait("sound is heard", `(async () => (await stat('inbound-rtp', 'audio', 'totalAudioEnergy')) > 0)()`)
}

func TestTwoTabs(t *testing.T) {
	t.Parallel()
	server := serveHere(t)
	b := browsertest.Start(t)
	jiwoo := enter(t, b, server, "데모", "지우")
	bob := enter(t, b, server, "데모", "bob")
	seesAndHears(t, jiwoo, 1)
	seesAndHears(t, bob, 1)
	bob.Wait("the Korean name", `named('지우')`)
	jiwoo.Wait("the English name", `named('bob')`)
	jiwoo.Screenshot("two")
}
