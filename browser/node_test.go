package browser_test

import (
	"context"
	"fmt"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"noom"
	"noom/internal/browsertest"
	"noom/media"
	"noom/transport/ws"
)

// noom.js in Node, with a WebRTC and a WebSocket from npm.
func TestNodeMember(t *testing.T) {
	t.Parallel()
	folder := nodeFolder(t)
	// One after the other, because each encodes and decodes pictures and sound.
	for name, test := range map[string]func(*testing.T, string){
		"with Go": nodeWithGo, "with a page": nodeWithPage, "with its own WebSocket": nodeGlobals, "without WebSocket": nodeOverHTTP, "the bot in README.md": nodeBot,
	} {
		t.Run(name, func(t *testing.T) { test(t, folder) })
	}
}

// goMember joins the lab's room with a picture of one colour and a tone. Its events are followed by events until the
// test is over.
func goMember(t *testing.T, l *lab, events func(noom.Event)) noom.Room {
	t.Helper()
	picture, tone := media.TestPattern(&media.PatternOptions{Color: color.RGBA{200, 30, 30, 255}}), media.Tone()
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{
		Name: "고퍼", Tracks: []noom.LocalTrack{{Track: picture}, {Track: tone}},
	})
	if err != nil {
		t.Fatal(err)
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		for event := range room.Events(context.Background()) {
			events(event)
		}
	}()
	t.Cleanup(func() {
		_ = room.Leave(context.Background()) // the test is over
		<-followed
		_ = picture.Close() // nothing to lose
		_ = tone.Close()    // nothing to lose
	})
	return room
}

// until takes from a channel until it gives that.
func until[T comparable](t *testing.T, c <-chan T, want T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), nodePatience)
	defer cancel()
	for {
		select {
		case got := <-c:
			if got == want {
				return
			}
		case <-ctx.Done():
			t.Fatalf("never came: %v", want)
		}
	}
}

const (
	red    = `shows(called('camera'), [200, 30, 30])`
	silent = `loudness(called('microphone')) < 30`
	loud   = `loudness(called('microphone')) > 300`
)

// nodeWithGo is a call of Node with Go, through the loss of the hub and of the connection.
func nodeWithGo(t *testing.T, folder string) {
	l := newLab(t)
	happened := make(chan string, 10_000)
	room := goMember(t, l, func(event noom.Event) {
		switch e := event.(type) {
		case noom.TrackAdded:
			go func() {
				packets := 0
				for range e.Track.Packets() {
					if packets++; packets%20 == 0 {
						select {
						case happened <- e.Track.Name() + " flows":
						default:
						}
					}
				}
			}()
		case noom.TrackMuted:
			happened <- fmt.Sprint(e.Track.Name(), " muted: ", e.Muted)
		case noom.ChatReceived:
			happened <- "chat: " + e.Text
		case noom.DataReceived:
			happened <- fmt.Sprint("data: ", len(e.Data))
		case noom.PeerStateChanged:
			happened <- e.State.String()
		case noom.PeerLeft:
			happened <- fmt.Sprint("left: ", e.Reason)
		}
	})
	m := startNode(t, folder, l.url(), nil)
	m.do(`enter('마디', { tracks: [picture(0, 0, 200), tone()] })`)
	flows := func() {
		t.Helper()
		m.wait("a red picture", red)
		m.wait("a tone", loud)
		for len(happened) > 0 {
			<-happened
		}
		until(t, happened, "camera flows")
		until(t, happened, "microphone flows")
	}
	flows()
	m.do(`room.chat('안녕')`)
	until(t, happened, "chat: 안녕")
	m.do(`room.send(new Uint8Array(61440))`)
	until(t, happened, "data: 61440")
	if err := room.Send(t.Context(), []byte("고맙다")); err != nil {
		t.Fatal(err)
	}
	m.wait("data", `happened('datareceived', (e) => new TextDecoder().decode(e.data) === '고맙다') === 1`)
	for _, muted := range []bool{true, false} {
		m.do(fmt.Sprintf(`room.senders[0].setMuted(%v)`, muted))
		until(t, happened, fmt.Sprint("camera muted: ", muted))
	}
	if err := room.Senders()[1].SetMuted(true); err != nil {
		t.Fatal(err)
	}
	m.wait("silence", `called('microphone').muted && `+silent)
	if err := room.Senders()[1].SetMuted(false); err != nil {
		t.Fatal(err)
	}
	l.replaceHub()
	m.wait("the loss and the way back", `happened('signalinglost') === 1 && happened('signalingrestored') === 1`)
	flows()
	m.do(`other().connection.close()`)
	m.wait("another connection", `happened('peerstatechanged', (e) => e.state === 'connected') > 1 && other().state === 'connected'`)
	flows()
	m.leave()
	until(t, happened, "left: left")
}

// nodeWithPage is a call of Node with Chromium.
func nodeWithPage(t *testing.T, folder string) {
	l := newLab(t)
	tab := l.open(browsertest.Start(t), ears)
	m := startNode(t, folder, l.url(), nil)
	tab.Do(`enter('지우', { tracks: [picture('rgb(200, 30, 30)'), tone()] })`)
	m.do(`enter('마디', { tracks: [picture(0, 0, 200), tone()] })`)
	const called = `other().tracks.find((t) => t.name === '%s')`
	blue := fmt.Sprintf(`shows(`+called+`, [0, 0, 200])`, "camera")
	hears := fmt.Sprintf(`(await ears(`+called+`.track))[0] %%s`, "microphone")
	flows := func() {
		t.Helper()
		m.wait("a red picture", red)
		m.wait("a tone", loud)
		tab.Wait("a blue picture", blue)
		tab.Wait("a tone", fmt.Sprintf(hears, "> 0.01"))
	}
	flows()
	tab.Do(`room.senders[1].setMuted(true)`)
	m.do(`room.senders[1].setMuted(true)`)
	m.wait("silence", `called('microphone').muted && `+silent)
	tab.Wait("silence", fmt.Sprintf(called+`.muted && `+hears, "microphone", "< 0.001"))
	m.do(`room.senders[1].setMuted(false)`)
	tab.Do(`room.senders[1].setMuted(false)`)

	m.do(`room.senders[0].replaceTrack(picture(0, 200, 0))`)
	tab.Wait("a green picture", fmt.Sprintf(`shows(`+called+`, [0, 200, 0])`, "camera"))
	m.do(`room.senders[0].replaceTrack(picture(0, 0, 200))`)
	m.do(`globalThis.screen = room.publish(picture(200, 200, 0), { name: 'screen' })`)
	tab.Wait("a second picture", fmt.Sprintf(`shows(`+called+`, [200, 200, 0])`, "screen"))
	m.do(`screen.close()`)
	tab.Wait("no second picture", `other().tracks.length === 2`)

	tab.Do(`room.chat('반가워')`)
	m.wait("chat", `happened('chatreceived', (e) => e.text === '반가워') === 1`)
	tab.Do(`(async () => { for (let i = 0; i < 50; i++) await room.send(new Uint8Array(50_000).fill(i)); })()`)
	m.wait("data in order", `log.filter((e) => e.type === 'datareceived').every((e, i) => e.data.length === 50_000 && e.data[0] === i) && happened('datareceived') === 50`)
	m.do(`(async () => { const c = await other().openChannel('파일', { unordered: true }); await c.send('하나'); c.close(); })()`)
	tab.Wait("a channel", `(async () => {
		const opened = log.find((e) => e.type === 'channelopened');
		return new TextDecoder().decode(await opened.channel.receive()) === '하나';
	})()`)

	m.do(`other().connection.close()`)
	m.wait("another connection", `happened('peerstatechanged', (e) => e.state === 'connected') > 1 && other().state === 'connected'`)
	flows()
	m.do(`other().restartICE()`)
	flows()
	if verdict := evalNode[string](m, `other().diagnose().then((d) => d.verdict)`); verdict != "connected" {
		t.Error(verdict)
	}
	m.leave()
	tab.Wait("an empty room", `happened('peerleft', (e) => e.reason === 'left') === 1`)
}

// nodeGlobals is a member that gives join nothing: it has the WebRTC in globalThis, and Node has the WebSocket.
func nodeGlobals(t *testing.T, folder string) {
	if !canWebSocket(t) {
		browsertest.Without(t, "NODE WITHOUT WEBSOCKET: noom.js is not tried with it; install Node 20.10 or later")
	}
	l := newLab(t)
	tab := l.open(browsertest.Start(t), "")
	m := startNode(t, folder, l.url(), []string{"--experimental-websocket"}, "globals")
	tab.Do(`enter('지우', { tracks: [picture('rgb(200, 30, 30)')] })`)
	m.do(`enter('마디', { tracks: [picture(0, 0, 200)] })`)
	m.wait("a red picture", red)
	tab.Wait("a blue picture", `shows(other().tracks[0], [0, 0, 200])`)
	l.replaceHub()
	const back = `happened('signalinglost') === 1 && happened('signalingrestored') === 1`
	m.wait("the loss and the way back", back)
	tab.Wait("the page to be back", back)
	m.do(`room.chat('다시 왔다')`)
	tab.Wait("chat by the new hub", `happened('chatreceived', (e) => e.text === '다시 왔다') === 1`)
	m.leave()
	tab.Wait("an empty room", `happened('peerleft', (e) => e.reason === 'left') === 1`)
}

// nodeOverHTTP is a member without any WebSocket: it reaches the hub over HTTP.
func nodeOverHTTP(t *testing.T, folder string) {
	l := newLab(t)
	tab := l.open(browsertest.Start(t), "")
	m := startNode(t, folder, l.url(), nil, "http")
	tab.Do(`enter('지우')`)
	m.do(`enter('마디', { tracks: [picture(0, 0, 200)] })`)
	tab.Wait("a blue picture", `shows(other().tracks[0], [0, 0, 200])`)
	m.do(`room.chat('안녕')`)
	tab.Wait("chat", `happened('chatreceived', (e) => e.text === '안녕') === 1`)
	m.leave()
	tab.Wait("an empty room", `happened('peerleft', (e) => e.reason === 'left') === 1`)
}

// canWebSocket reports whether Node can have a WebSocket of its own.
func canWebSocket(t *testing.T) bool {
	t.Helper()
	return exec.CommandContext(t.Context(), "node", "--experimental-websocket", "--eval", "new WebSocket('ws://127.0.0.1:9')[Symbol.dispose]; process.exit()").Run() == nil
}

// nodeBot runs the bot of README.md as it stands.
func nodeBot(t *testing.T, folder string) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)\n## In Node\n.*?\n```js\n(.*?)```").FindSubmatch(readme)
	if code == nil {
		t.Fatal("README.md has no bot in its section In Node")
	}
	if err := os.WriteFile(filepath.Join(folder, "bot.js"), code[1], 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLab(t)
	happened := make(chan string, 10_000)
	room := goMember(t, l, func(event noom.Event) {
		switch e := event.(type) {
		case noom.TrackAdded:
			go func() {
				for range e.Track.Packets() {
					happened <- "a picture"
					return
				}
			}()
		case noom.ChatReceived:
			happened <- e.Text
		case noom.PeerLeft:
			happened <- fmt.Sprint("left: ", e.Reason)
		}
	})
	bot := exec.CommandContext(t.Context(), "node", "bot.js", l.url(), "데모")
	bot.Dir = folder
	var said lockedBuffer
	bot.Stdout, bot.Stderr = &said, &said
	if err := bot.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = bot.Process.Kill() // unless it has ended
		if t.Failed() {
			t.Logf("the bot said: %s", said.String())
		}
	}()
	until(t, happened, "hello, 고퍼")
	until(t, happened, "a picture")
	if err := room.Chat(t.Context(), "ping"); err != nil {
		t.Fatal(err)
	}
	until(t, happened, "pong")
	if err := bot.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	until(t, happened, "left: left")
	if err := bot.Wait(); err != nil || strings.TrimSpace(said.String()) != "" {
		t.Errorf("the bot ends with %v, and said %q", err, said.String())
	}
}
