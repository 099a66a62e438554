package browser_test

import (
	"fmt"
	"testing"

	"noom/internal/browsertest"
)

// ears measure in a page what a track plays, left and right: as root mean squares.
const ears = `
	window.ears = async (track) => {
		const stream = new MediaStream([track]);
		const player = Object.assign(new Audio(), { srcObject: stream, muted: true });
		player.play().catch(() => {});
		const context = new AudioContext();
		const two = new GainNode(context, { channelCount: 2, channelCountMode: 'explicit' });
		const splitter = new ChannelSplitterNode(context, { numberOfOutputs: 2 });
		context.createMediaStreamSource(stream).connect(two).connect(splitter);
		const sides = [0, 1].map((i) => {
			const side = new AnalyserNode(context, { fftSize: 8192 });
			splitter.connect(side, i);
			return side;
		});
		await new Promise((resolve) => setTimeout(resolve, 300));
		const heard = sides.map((side) => {
			const samples = new Float32Array(side.fftSize);
			side.getFloatTimeDomainData(samples);
			return Math.sqrt(samples.reduce((sum, v) => sum + v * v, 0) / samples.length);
		});
		await context.close();
		player.srcObject = null;
		return heard;
	};`

// level lets a page see how loud the packets are that a track of the other one's plays.
const level = `
	window.called = (name) => other()?.tracks.find((t) => t.name === name);
	// Whether a track is announced as muted and is silent, or neither.
	window.agrees = (name, muted) => {
		const track = called(name);
		if (!track?.track || track.muted !== muted) return false;
		track.player ??= Object.assign(new Audio(), { srcObject: track.stream, autoplay: true });
		const receiver = other().connection.getReceivers().find((r) => r.track === track.track);
		const [source] = receiver.getSynchronizationSources();
		const fresh = source && performance.timeOrigin + performance.now() - source.timestamp < 300;
		return muted ? !fresh || source.audioLevel < 0.001 : fresh && source.audioLevel > 0.01;
	};`

// The state that the others see of a sender is what they hear, whichever side mutes, and the page's
// own track stays as the page left it.
func TestMute(t *testing.T) { browsertest.EachPair(t, testMute) }

func testMute(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one := l.open(b1, `
		window.clones = [];
		const clone = MediaStreamTrack.prototype.clone;
		MediaStreamTrack.prototype.clone = function () {
			const made = clone.call(this);
			clones.push(made);
			return made;
		};
		window.stopped = () => clones.every((c) => c.readyState === 'ended');`)
	two := l.open(b2, "")
	one.Do(`enter('하나')`)
	two.Do(`enter('two')`)
	connected(one, two)
	two.Do(level)
	one.Do(`window.mic = tone(); window.a = room.publish(mic, { name: 'a' }); window.b = room.publish(mic, { name: 'b' })`)
	for _, step := range []struct {
		what, do string
		a, b     bool // muted
		enabled  bool // the page's track
	}{
		{"published", ``, false, false, true},
		{"one muted", `a.setMuted(true)`, true, false, true},
		{"and the other one, as the first comes back", `a.setMuted(false); b.setMuted(true)`, false, true, true},
		{"the page disables its track", `b.setMuted(false); mic.enabled = false`, true, true, false},
		{"one is unmuted all the same", `a.setMuted(false)`, false, true, false},
		{"the page enables it", `mic.enabled = true`, false, false, true},
		{"and disables it again", `mic.enabled = false`, true, true, false},
		{"enabling takes no setMuted back", `b.setMuted(true); mic.enabled = true`, false, true, true},
		{"another track while muted", `window.mic = tone(); b.replaceTrack(mic)`, false, true, true},
		{"unmuted", `b.setMuted(false)`, false, false, true},
		{"a disabled track swapped in", `window.mic = tone(); mic.enabled = false; a.replaceTrack(mic)`, true, false, false},
		{"paused", `a.replaceTrack(null)`, true, false, false},
		{"published again, while muted", `a.close(); b.setMuted(true); b.close(); window.mic = tone(); window.a = room.publish(mic, { name: 'a' }); window.b = room.publish(mic, { name: 'b' })`, false, false, true},
		{"published disabled", `a.close(); b.close(); mic.enabled = false; window.a = room.publish(mic, { name: 'a' }); window.b = other().publish(mic, { name: 'b' })`, true, true, false},
		{"and unmuted", `b.setMuted(false)`, true, false, false},
		{"until the page stops it", `mic.stop()`, true, true, false},
	} {
		one.Do(step.do + `; undefined`)
		if step.what == "paused" {
			two.Wait(step.what, `called('a').muted`) // no packet comes
		} else {
			two.Wait(step.what, fmt.Sprintf(`agrees('a', %v) && agrees('b', %v)`, step.a, step.b))
		}
		for name, muted := range map[string]bool{"a": step.a, "b": step.b} {
			if got := browsertest.Eval[bool](one, fmt.Sprintf(`%s.muted`, name)); got != muted {
				t.Errorf("%s: %s.muted is %v", step.what, name, got)
			}
		}
		if got := browsertest.Eval[bool](one, `mic.enabled`); got != step.enabled {
			t.Errorf("%s: the page's track is enabled: %v", step.what, got)
		}
	}
	one.Wait("no clone of a track that has ended", `clones.length > 0 && stopped()`)
	one.Do(`window.mic = tone(); a.close(); window.a = room.publish(mic); window.b = other().publish(mic); a.setMuted(true); b.setMuted(true)`)
	if browsertest.Eval[bool](one, `stopped() || !mic.enabled`) {
		t.Error("muted without a clone")
	}
	one.Do(`room.leave()`)
	one.Wait("no clone behind the call", `stopped() && mic.readyState === 'live' && mic.enabled`)
	one.Do(`hush()`)
}

// A member that comes while a camera is muted learns that, and sees it when it comes back.
func TestMuteOfAPicture(t *testing.T) { browsertest.EachPair(t, testMuteOfAPicture) }

func testMuteOfAPicture(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one := l.open(b1, "")
	one.Do(`window.eye = picture('rgb(200, 0, 0)'); eye.enabled = false, enter('하나', { tracks: [eye] })`)
	two := l.open(b2, "")
	two.Do(`enter('two')`)
	connected(one, two)
	two.Wait("a muted camera", `other().tracks[0]?.muted`)
	one.Do(`room.senders[0].setMuted(false)`)
	two.Wait("the picture", `!other().tracks[0].muted && shows(other().tracks[0], [200, 0, 0])`)
	one.Do(`room.senders[0].setMuted(true); eye.enabled = true, undefined`)
	two.Wait("darkness", `other().tracks[0].muted && shows(other().tracks[0], [0, 0, 0])`)
	one.Do(`room.senders[0].replaceTrack(picture('rgb(0, 0, 200)'))`)
	two.Wait("darkness still", `other().tracks[0].muted && shows(other().tracks[0], [0, 0, 0])`)
	one.Do(`room.senders[0].setMuted(false)`)
	two.Wait("another picture", `!other().tracks[0].muted && shows(other().tracks[0], [0, 0, 200])`)
	one.Do(`room.leave(); hush()`)
}
