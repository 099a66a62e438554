package browser_test

import (
	"testing"

	"noom/internal/browsertest"
)

// wrongArguments calls everything that a page can call with what it does not take, and
// lists the calls that ended with anything but what was asked for or a NoomError.
const wrongArguments = `
	window.WebSocket = class extends WebSocket {
		constructor(url, ...rest) {
			if (String(url).endsWith('/none')) throw new DOMException('not there', 'SecurityError');
			super(url, ...rest);
		}
	};
	window.wrongArguments = async () => {
		const hostile = { toString() { throw new Error('mine'); } };
		const detached = new ArrayBuffer(8);
		const view = new Uint8Array(detached);
		structuredClone(detached, { transfer: [detached] });
		const values = {
			undefined, null: null, number: 42, negative: -1, NaN: NaN, infinite: Infinity, endless: 1e12, boolean: true, Symbol: Symbol('x'), bigint: 7n,
			empty: '', blank: ' ', half: '\ud83d', huge: 'x'.repeat(1e6), NUL: '\0', array: [], nested: [null], object: {}, bare: Object.create(null), hostile,
			function: () => {}, FormData: new FormData(), Blob: new Blob(['x']), Date: new Date(NaN), detached, view, fake: { kind: 'audio', enabled: true },
		};
		const peer = other();
		const sender = () => (room.senders[0] ?? room.publish(picture('blue')));
		const channel = await peer.openChannel('x');
		const calls = {
			chat: (v) => room.chat(v), tryChat: (v) => room.tryChat(v), rename: (v) => room.rename(v), kick: (v) => room.kick(v),
			send: (v) => room.send(v), trySend: (v) => room.trySend(v), peerSend: (v) => peer.send(v), peerTrySend: (v) => peer.trySend(v), channelSend: (v) => channel.send(v),
			sendWith: (v) => room.send('x', v), trySendWith: (v) => room.trySend('x', v), sendTopic: (v) => peer.send('x', { topic: v }), trySendTopic: (v) => peer.trySend('x', { topic: v }),
			publish: (v) => room.publish(v), publishWith: (v) => room.publish(picture('red'), v).close(), publishName: (v) => room.publish(picture('red'), { name: v }).close(),
			peerPublish: (v) => peer.publish(v), peerPublishWith: (v) => peer.publish(picture('red'), v).close(), peerPublishName: (v) => peer.publish(picture('red'), { name: v }).close(),
			replaceTrack: (v) => sender().replaceTrack(v), setMuted: (v) => sender().setMuted(v),
			askTopic: (v) => peer.ask(v, 'x'), ask: (v) => peer.ask('nobody', v), askWith: (v) => peer.ask('nobody', 'x', v), askSignal: (v) => peer.ask('nobody', 'x', { signal: v }),
			handleTopic: (v) => room.handle(v, () => {}), handle: (v) => room.handle('x', v),
			requestMute: (v) => peer.requestMute(v), openChannel: (v) => peer.openChannel(v), openChannelWith: (v) => peer.openChannel('y', v),
			...Object.fromEntries(['unordered', 'maxRetransmits', 'maxLifetime'].map((o) => [o, (v) => peer.openChannel('z', { [o]: v })])),
			sendFile: (v) => (v instanceof Blob ? null : peer.sendFile(v)), sendFileName: (v) => (v === undefined || typeof v === 'string' ? null : peer.sendFile(new Blob(), { name: v })),
			sendFileSignal: (v) => (v === undefined ? null : peer.sendFile(new Blob(), { signal: v })), sendFileProgress: (v) => (v === undefined || typeof v === 'function' ? null : peer.sendFile(new Blob(), { onprogress: v })),
			may: (v) => room.may(v), peerMay: (v) => peer.may(v), peer: (v) => room.peer(v), trace: (v) => { room.trace = v; }, safetyNumber: (v) => noom.safetyNumber(v, room.self), safetyID: (v) => noom.safetyNumber({ id: v }, room.self),
			joinURL: (v) => (typeof v === 'string' ? null : noom.join(v, 'r')), joinBadURL: () => noom.join('http://[', 'r'), joinScheme: () => noom.join('ftp://localhost', 'r'), joinRoom: (v) => (typeof v === 'string' && v.length < 2 && v !== ' ' && v !== '' && v.isWellFormed() && v !== '\0' ? null : noom.join('/ws', v)),
			joinWith: (v) => noom.join('/none/none', 'r', v), leaveWith: (v) => (v === undefined || typeof v === 'function' || (typeof v === 'object' && v !== null) ? null : room.leave(v)),
			leaveTimeout: (v) => (v === undefined || v === 42 ? null : room.leave({ timeout: v })),
			...Object.fromEntries(['name', 'token', 'joinInFrame', 'tracks', 'iceServers', 'identity', 'verify', 'connectTimeout', 'dialTimeout', 'redialMax', 'maxFileSize', 'trace'].map((o) => ['join ' + o, (v) => noom.join('/none/none', 'r', { [o]: v })])),
			tokenOf: (v) => noom.join('/none/none', 'r', { token: () => v }), tokenFails: (v) => noom.join('/none/none', 'r', { token: () => Promise.reject(v) }),
			stateGet: (v) => room.state.get(v), stateSet: (v) => room.state.set(v, 'x'), stateValue: (v) => room.state.set('value', v), stateWith: (v) => room.state.set('with', 'x', v),
			stateKeep: (v) => room.state.set('keep', 'x', { keep: v }), stateDelete: (v) => room.state.delete(v), attributes: (v) => room.setAttributes(v), attribute: (v) => room.setAttributes({ a: v }),
			sign: async (v) => (await noom.Identity.generate()).sign(v),
		};
		const faults = [];
		for (const [call, act] of Object.entries(calls)) {
			await Promise.all(Object.entries(values).map(async ([value, v]) => {
				try {
					await act(v);
				} catch (error) {
					const errors = error instanceof AggregateError ? error.errors : [error];
					for (const e of errors) if (!(e instanceof noom.NoomError)) faults.push(call + '(' + value + '): ' + e?.name + ' ' + e?.message);
					else if (e.message.length > 500) faults.push(call + '(' + value + '): ' + e.message.length + ' characters of message');
				}
			}));
		}
		return faults;
	};
`

// TestWrongArguments: whatever a page calls with what is not taken is refused with
// a NoomError, and costs neither the hub nor a peer.
func TestWrongArguments(t *testing.T) { browsertest.EachAlikeIfAsked(t, testWrongArguments) }

func testWrongArguments(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, wrongArguments), l.open(b2, "")
	one.Allow("noom: an ICE server that cannot be used is left out", "404") // where there is no hub, there is none over HTTP either
	one.Do(`enter('하나')`)
	two.Do(`enter('둘')`)
	connected(one, two)
	one.Do(`window.before = other().connection, undefined`)
	for _, fault := range browsertest.Eval[[]string](one, `wrongArguments()`) {
		t.Error(fault)
	}
	if !browsertest.Eval[bool](one, `other().connection === before && room.error === null && happened('signalinglost') === 0`) {
		t.Error("the room, the hub or the connection was lost")
	}
	one.Do(`room.chat('아직 있다')`)
	two.Wait("what is said next", `happened('chatreceived', (e) => e.text === '아직 있다') === 1`)
}
