package browser_test

import (
	"testing"

	"noom/internal/browsertest"
)

// TestPreferredCodecs: a page is sent pictures in the codec that it prefers, in a section that it has reserved and in one
// that it is offered, and sends its own as ever.
func TestPreferredCodecs(t *testing.T) { browsertest.EachPairIfAsked(t, testPreferredCodecs) }

func testPreferredCodecs(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	const watched = `window.codecs = async () => {
		const stats = [...(await made.at(-1).getStats()).values()];
		const received = stats.filter((s) => s.type === 'inbound-rtp' && s.kind === 'video' && s.framesDecoded > 0);
		return received.map(({ codecId }) => stats.find(({ id }) => id === codecId)?.mimeType).join();
	};`
	one, two := l.open(b1, watched), l.open(b2, watched)
	one.Do(`enter('하나', { tracks: [picture('red')], preferredCodecs: ['video/vp9', 'video/H265'] })`)
	two.Do(`enter('two', { tracks: [picture('blue')] })`)
	connected(one, two)
	one.Wait("VP9 in the reserved section", `(async () => await codecs() === 'video/VP9')()`)
	two.Wait("VP8 as ever", `(async () => await codecs() === 'video/VP8')()`)
	two.Do(`room.publish(picture('green'), { name: '화면' })`)
	one.Wait("VP9 in the one that is offered", `(async () => await codecs() === 'video/VP9,video/VP9')()`)
}
