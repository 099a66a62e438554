package browser_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"noom/internal/browsertest"
)

// The pure parts, under Node.
func TestNode(t *testing.T) {
	t.Parallel()
	browsertest.NodeTests(t, ".")
}

// Tracks come, go and take over each other's sections.
func TestPublish(t *testing.T) { browsertest.EachPair(t, testPublish) }

func testPublish(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	one, two := newLab(t).meet(t, kinds)
	publishes(t, one, two)
}

func publishes(t *testing.T, one, two *browsertest.Tab) {
	t.Helper()
	one.Do(`window.a = room.publish(picture('rgb(200, 0, 0)')); window.m = room.publish(tone())`)
	two.Wait("a red picture", `shows(other().tracks.find((t) => t.name === 'camera'), [200, 0, 0])`)
	two.Wait("the microphone", `other().tracks.some((t) => t.name === 'microphone' && t.kind === 'audio')`)
	two.Do(`window.back = room.publish(picture('rgb(0, 0, 200)'), { name: '칠판' })`)
	one.Wait("a blue picture", `shows(other().tracks.find((t) => t.name === '칠판'), [0, 0, 200])`)

	one.Do(`window.gone = a.id; a.close(); window.a = room.publish(picture('rgb(200, 200, 0)'), { name: 'screen' })`)
	two.Wait("a yellow picture", `shows(other().tracks.find((t) => t.name === 'screen'), [200, 200, 0])`)
	two.Wait("no camera", `happened('trackremoved', (e) => e.track.name === 'camera') === 1 && other().tracks.length === 2`)
	if n := browsertest.Eval[int](one, `other().connection.getTransceivers().length`); n != 3 {
		t.Errorf("%d sections, want 3: the idle one must be taken over", n)
	}

	one.Do(`a.replaceTrack(picture('rgb(0, 200, 200)'))`)
	two.Wait("another picture", `shows(other().tracks.find((t) => t.name === 'screen'), [0, 200, 200])`)
	if code := browsertest.Eval[string](one, `a.replaceTrack(tone()).catch((e) => e.code)`); code != "kind" {
		t.Errorf("an audio track in a video sender: %q, want kind", code)
	}
	one.Do(`m.setMuted(true)`)
	two.Wait("mute", `other().tracks.find((t) => t.name === 'microphone').muted && happened('trackmuted') === 1`)
}

// A description that cannot be applied costs one connection, and no track.
func TestRebuild(t *testing.T) { browsertest.EachPair(t, testRebuild) }

func testRebuild(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, ""), l.open(b2, `
		const apply = RTCPeerConnection.prototype.setRemoteDescription;
		RTCPeerConnection.prototype.setRemoteDescription = function (d) {
			if (window.failing-- > 0) return Promise.reject(new DOMException('made to fail', 'OperationError'));
			return apply.call(this, d);
		};`)
	one.Do(`enter('하나', { tracks: [picture('rgb(200, 0, 0)')] })`)
	two.Do(`enter('two')`)
	connected(one, two)
	two.Wait("a red picture", `shows(other().tracks[0], [200, 0, 0])`)
	two.Do(`window.track = other().tracks[0]; window.failing = 1`)
	one.Do(`room.publish(tone())`)
	two.Wait("a rebuild", `happened('peerstatechanged', (e) => e.state === 'failed') === 1`)
	connected(one, two)
	two.Wait("both tracks", `other().tracks.length === 2 && moving()`)
	two.Wait("the same picture", `other().tracks.includes(track) && shows(track, [200, 0, 0])`)
	if n := browsertest.Eval[int](two, `happened('trackremoved')`); n != 0 {
		t.Errorf("%d tracks were removed", n)
	}
}

// Calls go on without a hub, and a hub that knows nothing is found again.
func TestHubLost(t *testing.T) { browsertest.EachPair(t, testHubLost) }

func testHubLost(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	one, two := l.meet(t, kinds)
	one.Do(`room.publish(picture('rgb(200, 0, 0)')); window.pc = other().connection`)
	two.Wait("a red picture", `shows(other().tracks[0], [200, 0, 0])`)
	l.replaceHub()
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("the loss and the way back", `happened('signalinglost') === 1 && happened('signalingrestored') === 1`)
	}
	two.Wait("moving pictures", `moving()`)
	one.Wait("the same connection", `other().connection === pc && happened('peerleft') === 0`)
	one.Do(`room.chat('다시 만났네')`)
	two.Wait("chat through the new hub", `happened('chatreceived', (e) => e.text === '다시 만났네' && e.from.name === '하나') === 1`)
	one.Do(`room.publish(tone())`)
	two.Wait("a new track", `other().tracks.length === 2`)
}

// Both sides add and take away at once, over and over; in some rounds one of
// them, or both, lose the connection in the middle of it.
func TestBursts(t *testing.T) { browsertest.EachPairIfAsked(t, testBursts) }

func testBursts(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	one, two := newLab(t).meet(t, kinds)
	rounds := 10
	if *long {
		rounds = 50
	}
	random := rand.New(rand.NewPCG(3, 4))
	rebuilds := 0
	for round := range rounds {
		for _, tab := range []*browsertest.Tab{one, two} {
			breaks := -1
			if random.IntN(5) == 0 {
				breaks = random.IntN(4)
				rebuilds++
			}
			tab.Do(fmt.Sprintf(`{
				let n = %d;
				const random = (k) => (n = (n * 48271) %% 2147483647) %% k;
				window.mine ??= [];
				for (let i = 0; i < 4; i++) {
					if (mine.length > 0 && random(3) === 0) {
						const [gone] = mine.splice(random(mine.length), 1);
						gone.close();
						hush(gone.track);
					}
					if (mine.length < 5 && random(3) > 0) mine.push(room.publish(random(2) ? picture('rgb(0, 200, 0)') : tone(), { name: 't' + random(1000) }));
					if (i === %d) other().connection?.close();
				}
				window.names = mine.map((s) => s.id).sort().join();
			}`, 7919*(round+1), breaks))
		}
		mine := []string{browsertest.Eval[string](one, `names`), browsertest.Eval[string](two, `names`)}
		one.Wait("what two publishes", fmt.Sprintf(`other().tracks.map((t) => t.id).sort().join() === %q`, mine[1]))
		two.Wait("what one publishes", fmt.Sprintf(`other().tracks.map((t) => t.id).sort().join() === %q`, mine[0]))
	}
	connected(one, two)
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("media on every track", `(async () => {
			const wanted = other().tracks.filter((t) => t.track);
			return wanted.length === other().tracks.length && (wanted.length === 0 || await moving());
		})()`)
		if n := browsertest.Eval[int](tab, `happened('peerstatechanged', (e) => e.state === 'failed')`); n > rebuilds {
			t.Errorf("%d failures for %d lost connections", n, rebuilds)
		}
		if n := browsertest.Eval[int](tab, `happened('peerleft')`); n != 0 {
			t.Errorf("the peer left %d times", n)
		}
	}
	t.Logf("%d rounds, %d connections lost, %d made", rounds, rebuilds, browsertest.Eval[int](one, `connections`))
}

// The same identity twice: the hub asks for proof, and the first one is out.
func TestReplaced(t *testing.T) { browsertest.EachKind(t, testReplaced) }

func testReplaced(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	tab.Do(`(async () => {
		const identity = await noom.Identity.generate();
		window.first = await noom.join('/ws', '데모', { name: 'first', identity });
		window.second = await noom.join('/ws', '데모', { name: 'second', identity });
	})()`)
	if code := browsertest.Eval[string](tab, `first.closed.then((e) => e.code)`); code != "replaced" {
		t.Errorf("the first one ended with %q, want replaced", code)
	}
	tab.Do(`second.chat('still here')`)
}

// What join refuses, it names.
func TestJoinErrors(t *testing.T) { browsertest.EachKind(t, testJoinErrors) }

func testJoinErrors(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab := newLab(t).open(kind.Start(t), "")
	tab.Allow("WebSocket connection", "Failed to load resource")
	for js, want := range map[string]string{
		`noom.join('/ws', '')`:                             "bad_room",
		`noom.join('/ws', 'a\u202eb')`:                     "bad_room",
		`noom.join('/ws', 'r', { name: 'x'.repeat(129) })`: "bad_name",
		`noom.join('/nothing/ws', 'r')`:                    "unreachable",
		`noom.join('ws://127.0.0.1:9/ws', 'r')`:            "unreachable",
	} {
		if got := browsertest.Eval[string](tab, js+`.then(() => 'joined', (e) => e.code)`); got != want {
			t.Errorf("%s: %s, want %s", js, got, want)
		}
	}
}

// A frame that was tampered with is dropped, and sent again.
func TestForgedFrame(t *testing.T) { browsertest.EachAlike(t, testForgedFrame) }

func testForgedFrame(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one := l.open(b1, "")
	two := l.open(b2, `
		// The first offer arrives with another SDP than was signed.
		window.forged = 0;
		const { set } = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage');
		Object.defineProperty(WebSocket.prototype, 'onmessage', { set(listener) {
			set.call(this, ({ data }) => {
				const forge = forged === 0 && data.startsWith('{"type":"offer"');
				if (forge) forged++;
				listener({ data: forge ? data.replace('a=fingerprint:', 'a=nonsense:') : data });
			});
		} });`)
	two.Allow("the hub may be lying")
	one.Do(`enter('하나', { tracks: [picture('rgb(200, 0, 0)')] })`)
	two.Do(`enter('two', { transport: 'websocket' })`)
	connected(one, two)
	two.Wait("a red picture", `shows(other().tracks[0], [200, 0, 0])`)
	for _, tab := range []*browsertest.Tab{one, two} {
		if n := browsertest.Eval[int](tab, `happened('peerstatechanged', (e) => e.state === 'failed')`); n != 0 {
			t.Errorf("%d failures: the forged offer was acted on", n)
		}
	}
	if n := browsertest.Eval[int](two, `forged`); n != 1 {
		t.Errorf("%d frames were forged, want 1", n)
	}
}
