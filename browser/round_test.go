package browser_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/media"
	"noom/signal"
	"noom/transport/ws"
)

// rounds has a page count the offers that it makes, and lets it publish sound on the left alone and look for what comes.
const rounds = ears + `
	window.offers = 0;
	const create = RTCPeerConnection.prototype.createOffer;
	RTCPeerConnection.prototype.createOffer = function (...args) {
		window.offers++;
		return create.apply(this, args);
	};
	window.left = () => {
		const context = new AudioContext();
		const both = new ChannelMergerNode(context, { numberOfInputs: 2 });
		const tone = new OscillatorNode(context, { frequency: 500 });
		tone.connect(both, 0, 0);
		tone.start();
		const out = new MediaStreamAudioDestinationNode(context);
		both.connect(out);
		return out.stream.getAudioTracks()[0];
	};
	window.named = (name) => other()?.tracks.find((track) => track.name === name);
	window.heard = async (name) => {
		const track = named(name)?.track;
		return track ? ears(track) : [0, 0];
	};
	window.sounds = async (name) => Math.max(...await heard(name)) > 0.01;
	window.onTheLeft = async (name) => {
		const [left, right] = await heard(name);
		return left > 0.01 && right < left / 10;
	};
	window.seen = async (name, colour) => named(name) !== undefined && shows(named(name), colour);
	window.moves = async (name) => {
		await seen(name, [0, 0, 0]);
		return named(name).video.videoWidth > 0;
	};
	window.doubled = () => { // whether the first format of each section of sound is RED, to which the sender of the sound keeps
		const sections = made[0].remoteDescription.sdp.split(/^(?=m=)/m).filter((section) => section.startsWith('m=audio'));
		return sections.every((section) => section.includes('a=rtpmap:' + section.split(' ')[3] + ' red/'));
	};
	window.streams = () => {
		const sent = made[0].remoteDescription.sdp.split(/^(?=m=)/m).filter((section) => section.includes('a=sendonly'));
		const ids = sent.map((section) => /^a=msid:(\S+)/m.exec(section)[1]);
		return ids.includes('-') ? 0 : new Set(ids).size;
	};`

// made checks how many offers pages have made, and members in Go.
func made(t *testing.T, when string, want int, inGo *offersInGo, tabs ...*browsertest.Tab) {
	t.Helper()
	n := inGo.count()
	for _, tab := range tabs {
		n += browsertest.Eval[int](tab, `offers`)
		if c := browsertest.Eval[int](tab, `connections`); c != 1 {
			t.Errorf("%s: %d connections were made, want 1", when, c)
		}
	}
	if n != want {
		t.Errorf("%s: %d offers, want %d", when, n, want)
	}
}

// offersInGo counts the offers that a member in Go makes.
type offersInGo struct {
	mu   sync.Mutex
	seqs map[int64]bool // an offer may be sent more than once
}

func (o *offersInGo) trace(e noom.Trace) {
	if e.Kind != noom.TraceSent || e.Message.Type != signal.TypeOffer {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seqs == nil {
		o.seqs = make(map[int64]bool)
	}
	o.seqs[e.Message.Seq] = true
}

func (o *offersInGo) count() int {
	if o == nil {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seqs)
}

// TestOneRound: one offer is enough for two pages that both send, and so is one for a track that comes later. What takes
// over a section that was reserved needs none.
func TestOneRound(t *testing.T) { browsertest.EachPair(t, testOneRound) }

func testOneRound(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, rounds), l.open(b2, rounds)
	one.Do(`enter('하나', { tracks: [tone(), picture('rgb(200, 0, 0)')] })`)
	two.Do(`enter('two', { tracks: [{ track: left(), name: 'music' }, picture('rgb(0, 0, 200)'), { track: tone(), name: 'voice' }] })`)
	connected(one, two)
	one.Wait("sound in two channels", `onTheLeft('music')`)
	one.Wait("other sound", `sounds('voice')`)
	one.Wait("a picture", `seen('camera', [0, 0, 200])`)
	two.Wait("sound", `sounds('microphone')`)
	two.Wait("a picture", `seen('camera', [200, 0, 0])`)
	made(t, "at first", 1, nil, one, two)
	for _, tab := range []*browsertest.Tab{one, two} {
		if n := browsertest.Eval[int](tab, `streams()`); n != 1 {
			t.Errorf("what comes is in %d streams, which are not played together, want 1", n)
		}
		chromium := kinds == browsertest.Pairs[0]
		if doubled := browsertest.Eval[bool](tab, `doubled()`); kinds.One == kinds.Two && doubled != chromium {
			t.Errorf("sound is sent twice: %t, want %t", doubled, chromium)
		}
	}
	two.Do(`window.later = room.publish(picture('rgb(0, 200, 0)'), { name: 'later' }), undefined`)
	one.Wait("a later picture", `seen('later', [0, 200, 0])`)
	made(t, "later", 2, nil, one, two)
	two.Do(`room.senders.filter(({ name }) => name === 'voice' || name === 'camera').forEach((sender) => sender.close());
		room.publish(picture('rgb(200, 200, 0)'), { name: 'another' }); room.publish(tone(), { name: 'again' }); undefined`)
	one.Wait("another picture", `seen('another', [200, 200, 0])`)
	one.Wait("sound again", `sounds('again')`)
	made(t, "in sections that were reserved", 2, nil, one, two)

	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Do(`offers = connections = 0`)
	}
	one.Do(`other().restartICE()`)
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("another connection", `made.length === 2 && other().connection === made[1] && other().state === 'connected' &&
			other().tracks.every(({ track }) => made[1].getReceivers().some((receiver) => receiver.track === track))`)
	}
	one.Wait("another picture, still", `seen('another', [200, 200, 0])`)
	one.Wait("music, still", `onTheLeft('music')`)
	two.Wait("a picture, still", `seen('camera', [200, 0, 0])`)
	made(t, "in another epoch", 1, nil, one, two)
}

// TestOneRoundWithGo: the same with a member in Go, whoever is there first.
func TestOneRoundWithGo(t *testing.T) { browsertest.EachKind(t, testOneRoundWithGo) }

func testOneRoundWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	for _, first := range []string{"page", "Go"} {
		t.Run(first+" first", func(t *testing.T) {
			l := newLab(t)
			tab := l.open(kind.Start(t), rounds)
			enter := `navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } }).then((stream) => {
				window.mic = stream.getAudioTracks()[0];
				return enter('지우', { tracks: [{ track: left(), name: 'music' }, { track: mic, name: 'voice' }, picture('rgb(0, 0, 200)')] });
			})`
			if first == "page" {
				tab.Do(enter)
			}
			inGo := &offersInGo{}
			room := joinWith(t, l, &noom.Config{Name: "고퍼", Trace: inGo.trace}, media.Tone(), media.TestPattern(nil))
			if first == "Go" {
				tab.Do(enter)
			}
			tracks := arrive(t, room, "music", "voice", "camera")
			channels(t, tracks["music"], 2)
			channels(t, tracks["voice"], 1)
			tab.Wait("sound", `sounds('0')`)
			tab.Wait("a picture", `moves('1')`)
			made(t, "at first", 1, inGo, tab)
			tab.Do(`room.senders[0].close(); room.publish(tone(), { name: 'again' }), undefined`)
			arrive(t, room, "again")
			made(t, "in a section that was reserved", 1, inGo, tab)
			tab.Do(`mic.stop()`)
		})
	}
}

// joinWith is a member in Go that publishes those sources from the start, which are named by their numbers.
func joinWith(t *testing.T, l *lab, cfg *noom.Config, sources ...*media.Source) noom.Room {
	t.Helper()
	for i, source := range sources {
		t.Cleanup(func() { _ = source.Close() }) // nothing to lose
		cfg.Tracks = append(cfg.Tracks, noom.LocalTrack{Name: fmt.Sprint(i), Track: source})
	}
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = room.Leave(context.Background()) }) // the test is over
	return room
}

// arrive waits for tracks of those names, and for a packet of each.
func arrive(t *testing.T, room noom.Room, names ...string) map[string]noom.RemoteTrack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tracks, got := make(map[string]noom.RemoteTrack), make(chan string, len(names))
	for e := range room.Events(ctx) {
		if added, ok := e.(noom.TrackAdded); ok && slices.Contains(names, added.Track.Name()) {
			tracks[added.Track.Name()] = added.Track
			go firstPacket(added.Track, got)
		}
		if len(tracks) == len(names) {
			break
		}
	}
	for range names {
		select {
		case <-got:
		case <-ctx.Done():
			t.Fatalf("of %v not all came", names)
		}
	}
	return tracks
}
