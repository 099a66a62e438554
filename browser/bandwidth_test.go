package browser_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/media"
	"noom/transport/ws"
)

// camera lets a page make the picture of a camera in which everything moves, and sum up what it sends and receives.
const camera = `
	window.scene = () => {
		const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
		const context = canvas.getContext('2d');
		setInterval(() => {
			for (let i = 0; i < 60; i++) {
				context.fillStyle = 'hsl(' + Math.random() * 360 + ' 80% 50%)';
				context.fillRect(Math.random() * 640, Math.random() * 480, 60 * Math.random(), 60 * Math.random());
			}
		}, 50);
		return canvas.captureStream(20).getVideoTracks()[0];
	};
	window.sum = async () => {
		const total = {};
		for (const s of (await other().stats()).values()) {
			const more = (keys) => { for (const key of keys) total[key] = (total[key] ?? 0) + (s[key] ?? 0); };
			if (s.type === 'candidate-pair') more(['availableOutgoingBitrate']);
			if (s.type === 'inbound-rtp' && s.kind === 'video') more(['framesDecoded', 'pliCount', 'freezeCount', 'packetsLost', 'retransmittedPacketsReceived']);
			if (s.type === 'outbound-rtp' && s.kind === 'video') more(['bytesSent', 'framesEncoded']);
		}
		return total;
	};`

// joinOver joins a member in Go that sends tracks.
func joinOver(t *testing.T, l *lab, network transport.Net, tracks ...noom.LocalTrack) noom.Room {
	t.Helper()
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼", Tracks: tracks, Net: network})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = room.Leave(context.Background()) }) // the test is over
	return room
}

// Go and a page report to each other what arrives, so that both find out what the path takes. What Go sends for that beside
// the pictures disturbs none, and the page's own are as many as before there were bounds.
func TestPathIsMeasured(t *testing.T) { browsertest.EachKindAlone(t, testPathIsMeasured) }

func testPathIsMeasured(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	longtest.Only(t)
	l := newLab(t)
	tab := l.open(kind.Start(t), camera)
	tab.Do(`enter('지우', { tracks: [scene(), tone()] })`)
	pattern := media.TestPattern(&media.PatternOptions{FPS: 30})
	t.Cleanup(func() { _ = pattern.Close() })
	room := joinOver(t, l, nil, noom.LocalTrack{Name: "camera", Track: pattern})
	connected(tab)
	tab.Wait("a picture", `(async () => (await sum()).framesDecoded > 20)()`)
	// What the browser counts in ten seconds of its own time, five after the picture began.
	type sums struct {
		Available float64 `json:"availableOutgoingBitrate"`
		Decoded   int     `json:"framesDecoded"`
		Encoded   int     `json:"framesEncoded"`
		Sent      int     `json:"bytesSent"`
		Asked     int     `json:"pliCount"`
		Lost      int     `json:"packetsLost"`
		Padding   int     `json:"retransmittedPacketsReceived"`
	}
	tab.Do(`new Promise((resolve) => setTimeout(resolve, 5000))`)
	before := browsertest.Eval[sums](tab, `sum()`)
	tab.Do(`new Promise((resolve) => setTimeout(resolve, 10000))`)
	after := browsertest.Eval[sums](tab, `sum()`)
	path := room.Peers()[0].Bandwidth()
	t.Logf("Go: %+v; the page: %+v", path, after)
	const start = 300_000
	if path.Estimate <= start || path.Queue > 100*time.Millisecond || path.Loss > 0.05 || path.RoundTrip == 0 {
		t.Errorf("Go measures %+v", path)
	}
	if n := after.Decoded - before.Decoded; n < 200 || after.Asked > 0 || after.Lost > 0 {
		t.Errorf("%d frames of 300 came, %d key frames were asked for, %d packets lost", n, after.Asked, after.Lost)
	}
	if kind != browsertest.Chromium { // which alone has the rest in its statistics, and does it at any load
		return
	}
	if after.Available < 2*start || after.Padding == 0 {
		t.Errorf("the page may send %v bit/s; %d packets of padding came", after.Available, after.Padding)
	}
	if bitrate, frames := (after.Sent-before.Sent)*8/10, after.Encoded-before.Encoded; bitrate < 1_000_000 || frames < 150 {
		t.Errorf("the page sends %d bit/s, %d frames of 200", bitrate, frames)
	}
}

// narrowNet is this machine's network, of which what is sent has to pass a narrow place: with a queue of 300 ms.
type narrowNet struct {
	transport.Net

	mu   sync.Mutex
	rate int       // bits per second; 0: no bound
	due  time.Time // when the queue will be empty
}

func (n *narrowNet) ListenUDP(network string, a *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, a)
	if err != nil {
		return nil, err
	}
	return narrowConn{c, n}, nil
}

func (n *narrowNet) setRate(bps int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rate = bps
}

// delay returns how long size bytes take, or that there is no room for them.
func (n *narrowNet) delay(size int) (wait time.Duration, fits bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if n.due.Before(now) {
		n.due = now
	}
	if n.rate == 0 {
		return 0, true
	}
	if n.due.Sub(now) > 300*time.Millisecond {
		return 0, false
	}
	n.due = n.due.Add(time.Duration(size*8) * time.Second / time.Duration(n.rate))
	return n.due.Sub(now), true
}

type narrowConn struct {
	transport.UDPConn
	net *narrowNet
}

func (c narrowConn) WriteTo(p []byte, to net.Addr) (int, error) {
	wait, fits := c.net.delay(len(p))
	if fits && wait == 0 {
		return c.UDPConn.WriteTo(p, to)
	}
	if fits {
		later := append([]byte(nil), p...)
		time.AfterFunc(wait, func() { _, _ = c.UDPConn.WriteTo(later, to) }) // it may be closed meanwhile
	}
	return len(p), nil
}

// A page hears that a picture is paused because its way is too narrow, and gets it again when it is wide.
func TestPausedPictureComesBack(t *testing.T) {
	browsertest.EachKindIfAsked(t, testPausedPictureComesBack)
}

func testPausedPictureComesBack(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	machine, err := stdnet.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	way := &narrowNet{Net: machine}
	l := newLab(t)
	tab := l.open(kind.Start(t), camera)
	tab.Do(`enter('지우')`)
	pattern, tone := media.TestPattern(&media.PatternOptions{FPS: 30}), media.Tone()
	t.Cleanup(func() { _, _ = pattern.Close(), tone.Close() })
	joinOver(t, l, way, noom.LocalTrack{Name: "camera", Track: pattern}, noom.LocalTrack{Name: "microphone", Track: tone})
	connected(tab)
	tab.Do(`window.flows = async () => {
		const before = (await sum()).framesDecoded;
		await new Promise((resolve) => setTimeout(resolve, 500));
		return (await sum()).framesDecoded > before;
	}`)
	for range 2 {
		tab.Wait("a picture", `flows()`)
		way.setRate(60_000)
		tab.Wait("that it is paused", `other().tracks.find(({ kind }) => kind === 'video').paused && log.findLast(({ type }) => type === 'trackpaused').paused`)
		tab.Wait("no picture", `(async () => !(await flows()))()`)
		tab.Wait("sound", `moving()`)
		way.setRate(0)
		tab.Wait("that it is paused no longer", `!other().tracks.find(({ kind }) => kind === 'video').paused && !log.findLast(({ type }) => type === 'trackpaused').paused`)
	}
	tab.Wait("the picture again", `flows()`)
	if state := browsertest.Eval[string](tab, `other().state`); state != "connected" {
		t.Errorf("meanwhile the page was %s", state)
	}
}
