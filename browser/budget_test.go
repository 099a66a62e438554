package browser_test

import (
	"fmt"
	"testing"

	"noom/internal/browsertest"
)

// accounts let a page see the bounds of what it sends to a peer, as its browser has them.
const accounts = `
	// A picture that says that it is of this size, and is small: to encode it takes little.
	window.camera = (width, height) => Object.defineProperty(picture('rgb(200, 0, 0)'), 'getSettings', { value: () => ({ width, height }) });
	window.named = (name) => room.peers.find((p) => p.name === name);
	window.bounds = (peer, track) => peer.connection.getSenders().filter((s) => s.track === track).map((s) => s.getParameters());
	// Whether a picture has one sender with these bits per second, scaled down so far.
	window.bounded = (name, track, bitrate, scale) => {
		const [parameters, ...others] = bounds(named(name), track);
		const [encoding] = parameters.encodings;
		return others.length === 0 && encoding.active && encoding.maxBitrate === bitrate && Math.abs((encoding.scaleResolutionDownBy ?? 1) - scale) < 0.01;
	};
	// What a browser that does not know a field leaves out.
	window.isIfKnown = (value, want) => value === undefined || value === want;`

// What a page sends is bounded by one uplink for the room, divided over peers and pictures, whatever
// becomes of the tracks and connections.
func TestBudget(t *testing.T) { browsertest.EachKindIfAsked(t, testBudget) }

func testBudget(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	b := kind.Start(t)
	one, two, three := l.open(b, accounts), l.open(b, ""), l.open(b, "")
	one.Do(`
		window.eye = camera(1280, 720);
		window.voice = tone();
		enter('하나', { uplink: 900_000, tracks: [eye, voice] })`)
	two.Do(`enter('two')`)
	connected(one, two)
	one.Wait("all of it for one", `bounded('two', eye, 900_000, 1)`)
	one.Wait("sound first", `isIfKnown(bounds(named('two'), voice)[0].encodings[0].priority, 'high')`)
	three.Do(`enter('three')`)
	both := func(what string, track string, bitrate int, scale float64) {
		t.Helper()
		one.Wait(what, fmt.Sprintf(`['two', 'three'].every((name) => bounded(name, %s, %d, %v))`, track, bitrate, scale))
	}
	both("half of it for each of two", "eye", 450_000, 1.5)
	one.Wait("smaller pictures", `(async () => {
		const sent = [...(await named('two').stats()).values()].find((s) => s.type === 'outbound-rtp' && s.kind === 'video');
		return sent.frameHeight === 80;
	})()`)
	one.Do(`window.sender = room.senders.find((s) => s.kind === 'video'), sender.replaceTrack(window.eye = camera(640, 480))`)
	both("another camera", "eye", 450_000, 1)
	one.Do(`sender.replaceTrack(window.eye = camera(720, 1280))`)
	both("a third, held upright", "eye", 450_000, 1.5)
	one.Do(`
		window.carried = (name) => named(name).connection.getSenders().map((s) => s.track).find((track) => track?.kind === 'video');
		sender.setMuted(true)`)
	one.Wait("a clone of it", `carried('two') !== eye && carried('three') !== eye`)
	both("the same while it is muted", "carried(name)", 450_000, 1.5)
	one.Do(`sender.setMuted(false)`)
	both("the same behind a mute", "eye", 450_000, 1.5)

	one.Do(`window.before = named('two').connection; named('two').restartICE()`)
	one.Wait("another connection", `named('two').connection && named('two').connection !== before && before.connectionState === 'closed'`)
	both("the same behind a rebuild", "eye", 450_000, 1.5)

	one.Do(`window.shared = room.publish(window.desk = camera(1920, 1080), { name: 'screen' })`)
	both("a camera beside a screen", "eye", 225_000, 2)
	both("a screen beside a camera", "desk", 225_000, 1)
	if !browsertest.Eval[bool](one, `isIfKnown(desk.contentHint, 'detail') && isIfKnown(eye.contentHint, 'motion')
		&& isIfKnown(bounds(named('two'), desk)[0].degradationPreference, 'maintain-resolution')
		&& isIfKnown(bounds(named('two'), eye)[0].degradationPreference, 'maintain-framerate')`) {
		t.Error("a screen is not kept sharp, or a camera is")
	}
	one.Do(`shared.close(); room.publish(window.small = camera(1280, 720), { maxBitrate: 100_000 })`)
	both("a picture that its publisher bounds", "small", 100_000, 4)
	both("which leaves the rest to the other", "eye", 350_000, 2)
	three.Do(`room.leave()`)
	one.Wait("what another leaves", `bounded('two', eye, 800_000, 720 / 540) && bounded('two', small, 100_000, 4)`)
	one.Do(`room.leave(); hush()`)
	two.Do(`room.leave()`)
}

// formats lets a page of Chromium see the formats of the packets of sound that come, which no statistics say.
const formats = `
	window.formats = new Set();
	if (!navigator.userAgent.includes('Firefox')) {
		const worker = new Worker(URL.createObjectURL(new Blob(['(' + (() => {
			self.onrtctransform = ({ transformer: { readable, writable } }) => readable.pipeThrough(new TransformStream({
				transform(frame, out) {
					postMessage(frame.getMetadata().payloadType);
					out.enqueue(frame);
				},
			})).pipeTo(writable);
		}) + ')()'])));
		worker.onmessage = ({ data }) => formats.add(data);
		window.RTCPeerConnection = class extends RTCPeerConnection {
			constructor(...args) {
				super(...args);
				this.addEventListener('track', ({ receiver, track }) => {
					if (track.kind === 'audio') receiver.transform = new RTCRtpScriptTransform(worker);
				});
			}
		};
	}`

// Between pages of Chromium sound is sent twice, which makes up for lost packets, and silence hardly at all.
// Others at least get the sound.
func TestSoundInBrief(t *testing.T) { browsertest.EachPairIfAsked(t, testSoundInBrief) }

func testSoundInBrief(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, ""), l.open(b2, formats)
	one.Do(`enter('하나')`)
	two.Do(`enter('two')`)
	connected(one, two)
	one.Do(`
		const context = new AudioContext();
		const voice = new OscillatorNode(context);
		window.volume = new GainNode(context);
		const out = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
		voice.connect(volume).connect(out);
		voice.start();
		room.publish(out.stream.getAudioTracks()[0])`)
	two.Wait("the sound", `other().tracks.length === 1`)
	two.Do(`
		other().tracks[0].attach();
		window.sound = async () => [...(await other().stats()).values()].find((s) => s.type === 'inbound-rtp' && s.kind === 'audio');
		// How many packets come in a second of the page's own time.
		window.rate = async () => {
			const [before, begun] = [await sound(), performance.now()];
			await new Promise((resolve) => setTimeout(resolve, 1000));
			return ((await sound()).packetsReceived - before.packetsReceived) * 1000 / (performance.now() - begun);
		}, undefined`)
	two.Wait("packets of sound", `(async () => (await rate()) > 30)()`)
	if kinds == (browsertest.Pair{One: browsertest.Chromium, Two: browsertest.Chromium}) {
		two.Wait("each packet twice", `formats.has(Number(/^a=rtpmap:(\d+) red\//m.exec(other().connection.remoteDescription.sdp)[1]))`)
		two.Wait("somebody who speaks", `log.findLast((e) => e.type === 'activespeaker')?.peer === other()`)
		one.Do(`volume.gain.value = 0, undefined`)
		two.Wait("hardly a packet of silence", `(async () => (await rate()) < 15)()`)
		two.Wait("nobody who speaks", `log.findLast((e) => e.type === 'activespeaker').peer === null`)
		one.Do(`volume.gain.value = 1, undefined`)
		two.Wait("packets of sound again", `(async () => (await rate()) > 30)()`)
		two.Wait("somebody who speaks again", `log.findLast((e) => e.type === 'activespeaker').peer === other()`)
	}
	one.Do(`room.leave()`)
	two.Do(`room.leave()`)
}
