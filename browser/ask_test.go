package browser_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"noom"
	"noom/internal/browsertest"
)

// A page asks Go, and Go asks a page: answers of any size, refusals, questions that are given up at either end, and a
// rebuild in between.
func TestAskWithGo(t *testing.T) { browsertest.EachKind(t, testAskWithGo) }

func testAskWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab, room := newLab(t).pairWithGo(t, kind)
	page := room.Peers()[0]

	gaveUp := make(chan struct{}, 2)
	for topic, f := range map[string]noom.QuestionHandler{
		"거울": func(_ context.Context, from noom.Peer, data []byte) ([]byte, error) {
			if from != page {
				return nil, errors.New("somebody else asks")
			}
			return data, nil
		},
		"기다려": func(ctx context.Context, _ noom.Peer, _ []byte) ([]byte, error) {
			<-ctx.Done()
			gaveUp <- struct{}{}
			return nil, ctx.Err()
		},
		"own": func(context.Context, noom.Peer, []byte) ([]byte, error) {
			return nil, &noom.AskError{Code: "negative", Message: "음수"}
		},
	} {
		if err := room.Handle(topic, f); err != nil {
			t.Fatal(err)
		}
	}
	tab.Do(`
		room.handle('거울', (peer, data) => { if (peer !== other()) throw new Error('somebody else asks'); return data; });
		window.waits = window.gaveUp = 0;
		room.handle('기다려', (peer, data, { signal }) => new Promise((resolve) => (waits++, signal).addEventListener('abort', () => { gaveUp++; resolve(); })));
		room.handle('own', () => { throw Object.assign(new Error('음수'), { code: 'negative' }); });
		window.code = (topic, ...rest) => other().ask(topic, '', ...rest).then(() => 'answered', (e) => (typeof e.code === 'string' ? e.code : e.name));
		undefined`)

	// The page asks.
	if got := browsertest.Eval[string](tab, `other().ask('거울', '안녕').then((b) => new TextDecoder().decode(b))`); got != "안녕" {
		t.Errorf("Go answers %q", got)
	}
	if !browsertest.Eval[bool](tab, `(async () => {
		const data = new Uint8Array(1 << 20).map((_, i) => i * 7);
		const asked = other().ask('거울', data);
		other().connection.close(); // in the midst
		const got = await asked;
		return got.length === data.length && got.every((b, i) => b === data[i]);
	})()`) {
		t.Error("an answer of 1 MiB is another")
	}
	for call, want := range map[string]string{
		`code('own')`: "negative", `code('nobody')`: "not_handled", `code('기다려', { signal: AbortSignal.timeout(300) })`: "TimeoutError",
	} {
		if got := browsertest.Eval[string](tab, call); got != want {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
	<-gaveUp

	// Go asks.
	big := bytes.Repeat([]byte{1, 2, 3, 5}, 1<<18)
	if got, err := page.Ask(t.Context(), "거울", big); err != nil || !bytes.Equal(got, big) {
		t.Errorf("the page answers %d bytes, %v", len(got), err)
	}
	if _, err := page.Ask(t.Context(), "nobody", nil); !errors.Is(err, noom.ErrNotHandled) {
		t.Errorf("a topic that the page does not take: %v", err)
	}
	if _, err := page.Ask(t.Context(), "own", nil); !errors.Is(err, &noom.AskError{Code: "negative"}) {
		t.Errorf("a code of the page's own: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() {
		_, err := page.Ask(ctx, "기다려", nil)
		asked <- err
	}()
	tab.Wait("the question", `waits === 1 && gaveUp === 0`)
	cancel()
	if err := <-asked; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	tab.Wait("the end of it", `gaveUp === 1`)
}
