package browser_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/pion/turn/v5"

	"noom/internal/browsertest"
	"noom/signal"
)

// found waits until a tab's diagnosis of the other has that verdict, and
// returns its words.
func found(tab *browsertest.Tab, verdict string) string {
	tab.Wait("the verdict "+verdict, fmt.Sprintf(`(async () => {
		const before = window.diagnosis?.verdict;
		window.diagnosis = await other().diagnose();
		if (diagnosis.verdict !== before) console.log(diagnosis.verdict + ': ' + diagnosis.words);
		return diagnosis.verdict === %q;
	})()`, verdict))
	return browsertest.Eval[string](tab, `diagnosis.words`)
}

// deaf, set in a page, makes it take no candidate of the other's: no path is found.
const deaf = `
	const add = RTCPeerConnection.prototype.addIceCandidate;
	RTCPeerConnection.prototype.addIceCandidate = function (c) { return window.deaf ? Promise.resolve() : add.call(this, c); };
	window.deaf = true;`

// A call that works, and one that has lost its hub and then its path.
func TestDiagnose(t *testing.T) { browsertest.EachPair(t, testDiagnose) }

func testDiagnose(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	one, two := l.meet(t, kinds)
	words := found(one, "connected")
	path := browsertest.Eval[string](one, `JSON.stringify([diagnosis.path.local.type, diagnosis.path.remote.protocol, diagnosis.path.relayed, diagnosis.attempts, diagnosis.error])`)
	if !strings.Contains(words, "host to ") || !strings.Contains(words, " over udp") || !strings.Contains(path, `"udp",false,0,null]`) {
		t.Errorf("says %q of the path %s", words, path)
	}
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Allow("WebSocket connection", "Failed to load resource") // that it is refused is the point
	}
	one.Do(`window.traced = []; room.trace = (frame) => { traced.push(frame); throw new Error('mine'); }; window.member = other()`)
	one.Allow("mine") // it is told on the console, and costs no frame
	one.Do(`room.publish(tone())`)
	one.Wait("the offer that goes in-band", `traced.some((f) => f.type === 'offer' && f.direction === 'out' && f.inBand && f.peer === member && f.bytes > 500)`)
	l.killHub()
	one.Wait("the loss", `happened('signalinglost') === 1`)
	found(one, "connected") // the call goes on
	// Chromium may never answer for a connection that is closed meanwhile.
	one.Do(`other().connection.getStats = () => new Promise(() => {})`)
	if n := browsertest.Eval[int](one, `(async () => (await other().stats()).size)()`); n != 0 {
		t.Errorf("%d statistics out of nothing", n)
	}
	// A busy machine may have moved the call to a second connection meanwhile, over the first.
	one.Do(`other().restartICE(), made.forEach((pc) => pc.close())`)
	found(one, "hub unreachable")
	l.replaceHub()
	found(one, "connected")
	one.Wait("the frames of the way back, through the hub", `[['out', 'join'], ['in', 'joined']].every(([direction, type]) =>
		traced.some((f) => f.direction === direction && f.type === type && !f.inBand && f.peer === null && f.at instanceof Date && f.bytes > 20))
		&& ['in', 'out'].every((direction) => traced.some((f) => f.direction === direction && !f.inBand && f.peer === member))`)
	if keys := browsertest.Eval[[]string](one, `[...new Set(traced.flatMap((f) => Object.keys(f)))]`); len(keys) != 6 {
		t.Errorf("a frame is traced with %q", keys)
	}
	one.Do(`room.trace = null; traced.length = 0`)
	two.Do(`room.leave()`)
	one.Wait("nobody there", `(window.gone ??= log.find((e) => e.type === 'peerleft' && e.reason === 'left')?.peer)`) // it may have been lost before
	if n := browsertest.Eval[int](one, `traced.length`); n != 0 {
		t.Errorf("%d frames are traced, though nobody asks", n)
	}
	if code := browsertest.Eval[string](one, `gone.diagnose().then(() => 'told', (e) => e.code)`); code != "closed" {
		t.Errorf("of a peer that has left: %s", code)
	}
}

// Frames that the hub keeps to itself.
func TestDiagnoseFrames(t *testing.T) { browsertest.EachAlikeIfAsked(t, testDiagnoseFrames) }

func testDiagnoseFrames(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	liar := l.lies()
	quiet := func(kind signal.Type) {
		liar.Lie(func(_ string, f signal.Message) []signal.Message {
			if f.Type == kind || kind == "" && f.Type.Pair() {
				return nil
			}
			return []signal.Message{f}
		})
	}
	quiet("")
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, ""), l.open(b2, "")
	one.Do(`enter('하나', { connectTimeout: 6000 })`)
	two.Do(`enter('two', { connectTimeout: 6000 })`)
	found(one, "frame undelivered") // it has offered
	found(two, "no answer")         // it waits for the offer
	quiet(signal.TypeAnswer)
	found(one, "no answer")
	if n := browsertest.Eval[int](one, `diagnosis.attempts`); n < 1 {
		t.Errorf("%d attempts", n)
	}
	liar.Lie(nil)
	found(one, "connected")
	found(two, "connected")
}

// No path: without a relay, and with one that refuses or does not answer.
func TestDiagnosePaths(t *testing.T) { browsertest.EachAlikeIfAsked(t, testDiagnosePaths) }

func testDiagnosePaths(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	refusing := refusingTURN(t)
	for _, c := range []struct{ verdict, servers, says string }{
		{"no candidate pair", ``, "candidates here: host; at the peer: "},
		{"TURN refused", `{ urls: 'turn:` + refusing + `?transport=udp', username: '지우', credential: 'old' }`, "the TURN server " + refusing + " refuses us: "},
		{"TURN unreachable", `{ urls: 'turn:127.0.0.1:2?transport=udp', username: '지우', credential: 'c' }`, "no TURN server has answered"},
	} {
		t.Run(c.verdict, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			b1, b2 := kinds.Start(t, browsertest.LoopbackIsANet) // Firefox asks no TURN server there otherwise
			one, two := l.open(b1, deaf), l.open(b2, deaf)
			one.Do(`enter('하나', { iceServers: [` + c.servers + `] })`)
			two.Do(`enter('two')`)
			if words := found(one, c.verdict); !strings.Contains(words, c.says) {
				t.Errorf("says %q, want %q", words, c.says)
			}
			if code := browsertest.Eval[string](one, `diagnosis.error?.code ?? 'none'`); c.verdict == "TURN refused" && code != "turn_refused" {
				t.Errorf("the error is %s", code)
			}
			for _, tab := range []*browsertest.Tab{one, two} {
				tab.Do(`window.deaf = false; other().restartICE()`)
			}
			found(one, "connected")
		})
	}
}

// refusingTURN is the address of a TURN server that refuses everyone.
func refusingTURN(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm:       "noom",
		AuthHandler: func(*turn.RequestAttributes) (string, []byte, bool) { return "", nil, false },
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn: conn, RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() }) // nobody is in
	return conn.LocalAddr().String()
}

// A handshake that fails, a description that cannot be taken, a codec that the
// other does not know: each is named, in the diagnosis and in the event.
func TestDiagnoseDescriptions(t *testing.T) {
	browsertest.EachAlikeIfAsked(t, testDiagnoseDescriptions)
}

func testDiagnoseDescriptions(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	const meddle = `
		const apply = RTCPeerConnection.prototype.setRemoteDescription;
		RTCPeerConnection.prototype.setRemoteDescription = function (d) {
			const sdp = (window.meddle ?? ((s) => s))(d.sdp);
			return apply.call(this, { type: d.type, sdp });
		};`
	one, two := l.open(b1, meddle), l.open(b2, meddle)
	two.Do(`window.meddle = (sdp) => sdp.replace(/(a=fingerprint:sha-256 )\S+/g, '$1' + Array(32).fill('AA').join(':'))`)
	one.Do(`enter('하나')`)
	two.Do(`enter('two')`)
	found(two, "DTLS failed")
	two.Do(`window.meddle = () => 'nonsense'`)
	if words := found(two, "protocol broken"); !strings.Contains(words, "could not be taken; run the same version") {
		t.Errorf("says %q", words)
	}
	two.Do(`window.meddle = undefined`)
	found(two, "connected")

	one.Do(`window.meddle = (sdp) => sdp.replace(/^m=video \d+/gm, 'm=video 0').replace(/^a=group:BUNDLE.*$/m, 'a=group:BUNDLE 0')`)
	one.Do(`room.publish(picture('rgb(200, 0, 0)'))`)
	one.Wait("what was refused", `happened('trackrefused', (e) => e.peer === other() && e.sender === room.senders[0] && e.codec === 'video/VP8') === 1`)
	if words := found(one, "codec not shared"); !strings.Contains(words, "none of video/VP8, ") || !strings.Contains(words, "host to ") {
		t.Errorf("says %q", words)
	}
}
