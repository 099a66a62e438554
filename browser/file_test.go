package browser_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"noom"
	"noom/internal/browsertest"
)

// filePage is what pages need in these tests: a file whose byte i is i xor i>>8, and whether a Blob is one.
const filePage = `
	window.fileOf = (size, name) => new File([Uint8Array.from({ length: size }, (_, i) => i ^ (i >> 8))], name);
	window.isFile = async (blob, size) => blob.size === size && new Uint8Array(await blob.arrayBuffer()).every((byte, i) => byte === ((i ^ (i >> 8)) & 255));
	window.offers = [];
	window.code = (promise) => promise.then(() => 'arrived', (e) => e.code ?? e.name);`

func fileOf(size int) []byte {
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i ^ i>>8)
	}
	return content
}

// buffer is a file in memory.
type buffer struct{ bytes []byte }

func (b *buffer) WriteAt(p []byte, offset int64) (int, error) {
	if offset != int64(len(b.bytes)) {
		return 0, errors.New("not in order")
	}
	b.bytes = append(b.bytes, p...)
	return len(p), nil
}

func fileOffered(t *testing.T, room noom.Room) noom.OfferedFile {
	t.Helper()
	for event := range room.Events(t.Context()) {
		if e, ok := event.(noom.FileOffered); ok {
			return e.File
		}
	}
	t.Fatal("the room is over")
	return nil
}

// Files between a page and Go, both ways, also over another connection, and every end that both have to know.
func TestFileWithGo(t *testing.T) { browsertest.EachKind(t, testFileWithGo) }

func testFileWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	const size = 3_000_001
	tab, room := newLab(t).pairWithGo(t, kind)
	peer := room.Peers()[0]
	tab.Do(filePage + `; room.addEventListener('fileoffered', ({ file }) => offers.push(file))`)

	// From the page, which makes another connection in the midst.
	tab.Do(`window.shown = []; window.sent = code(other().sendFile(fileOf(3000001, '../보고서.pdf'), { onprogress: (done, total) => { shown.push([done, total]); } })); 0`)
	file := fileOffered(t, room)
	if file.Name() != "보고서.pdf" || file.Size() != size {
		t.Errorf("offered: %v", file)
	}
	var got buffer
	restarted := false
	must(t, file.Accept(t.Context(), &got, &noom.FileOptions{Progress: func(done, total int64) {
		if done > total/3 && !restarted {
			restarted = true
			tab.Do(`other().restartICE()`)
		}
	}}))
	if !bytes.Equal(got.bytes, fileOf(size)) {
		t.Errorf("%d bytes came, or others", len(got.bytes))
	}
	tab.Wait("its end", `sent.then((s) => s === 'arrived') && shown.at(-1).every((n) => n === 3000001) && shown.every(([n], i) => n > (shown[i - 1]?.[0] ?? 0))`)

	// From Go, likewise.
	result := make(chan error, 1)
	send := func(ctx context.Context, size int) {
		go func() { result <- peer.SendFile(ctx, "사진.png", bytes.NewReader(fileOf(size)), nil) }()
	}
	send(t.Context(), size)
	tab.Wait("the offer", `offers.length === 1 && offers[0].name === '사진.png' && offers[0].size === 3000001`)
	tab.Do(`window.broken = false; window.came = offers[0].accept({ onprogress: (done, total) => {
		if (done > total / 3 && !broken) { broken = true; other().restartICE(); }
	} }).then((blob) => isFile(blob, 3000001)); 0`)
	must(t, <-result)
	tab.Wait("the file", `came`)
	send(t.Context(), 0)
	tab.Wait("an empty one", `offers.length === 2`)
	tab.Do(`window.came = offers[1].accept({ writable: new WritableStream({ close() { window.shut = true; } }) }); 0`)
	must(t, <-result)
	tab.Wait("its end", `came.then(() => shut)`)

	// Whoever ends it.
	send(t.Context(), size)
	tab.Wait("an offer", `offers.length === 3`)
	tab.Do(`offers[2].decline()`)
	if err := <-result; !errors.Is(err, noom.ErrDeclined) {
		t.Errorf("the page declines: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	send(ctx, size)
	tab.Wait("an offer", `offers.length === 4`)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("Go gives up: %v", err)
	}
	tab.Wait("an offer that was taken back", `code(offers[3].accept()).then((c) => c === 'cancelled')`)
	send(t.Context(), size)
	tab.Wait("an offer", `offers.length === 5`)
	tab.Do(`window.abort = new AbortController(); window.came = code(offers[4].accept({ signal: abort.signal, onprogress: () => abort.abort() })); 0`)
	if err := <-result; !errors.Is(err, &noom.FileError{Code: noom.FileCancelled}) {
		t.Errorf("the page gives up: %v", err)
	}
	tab.Wait("its end", `came.then((c) => c === 'AbortError' || c === 20)`)
	tab.Do(`window.sent = code(other().sendFile(fileOf(10, 'a'))); 0`)
	fileOffered(t, room).Decline()
	tab.Wait("Go declines", `sent.then((c) => c === 'declined')`)

	// What a page cannot do.
	tab.Wait("refusals", `Promise.all([code(other().sendFile('x')), code(other().sendFile(fileOf(1, 'a'), { signal: 1 })), code(other().openChannel('noom.file')), code(offers[0].accept())])
		.then((codes) => codes.join() === 'bad_argument,bad_argument,bad_name,closed')`)
	must(t, room.Leave(t.Context()))
	tab.Wait("the peer is gone", `room.peers.length === 0`)
}

// Files between two pages, over another connection too.
func TestFile(t *testing.T) { browsertest.EachPairIfAsked(t, testFile) }

func testFile(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	one, two := newLab(t).meet(t, kinds)
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Do(filePage + `; room.addEventListener('fileoffered', ({ file }) => offers.push(file))`)
	}
	one.Do(`window.sent = code(other().sendFile(fileOf(5000000, '하나.bin'))); 0`)
	two.Do(`window.sent = code(other().sendFile(fileOf(70000, '둘.bin'))); 0`)
	one.Wait("an offer", `offers.length === 1`)
	two.Wait("an offer", `offers.length === 1`)
	two.Do(`window.broken = 0; window.came = offers[0].accept({ onprogress: (done, total) => {
		if (done > (broken + 1) * total / 3 && broken < 2) { broken++; other().restartICE(); }
	} }).then((blob) => isFile(blob, 5000000)); 0`)
	one.Do(`window.came = offers[0].accept().then((blob) => isFile(blob, 70000)); 0`)
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("the file", `came`)
		tab.Wait("that it has arrived", `sent.then((s) => s === 'arrived')`)
	}
	one.Do(`window.sent = code(other().sendFile(fileOf(10, 'a'))); 0`)
	two.Wait("an offer", `offers.length === 2`)
	two.Do(`room.leave()`)
	one.Wait("the end with the peer", `sent.then((s) => s === 'closed' || s === 'cancelled')`)
}
