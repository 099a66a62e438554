package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"noom"
	"noom/internal/browsertest"
)

// filesPage drops files on elements, and keeps what the page saves.
const filesPage = `
	window.saved = [];
	URL.createObjectURL = (blob) => { saved.push(blob); return 'blob:none'; };
	HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
	window.carried = (type, name, text) => {
		const dataTransfer = new DataTransfer();
		dataTransfer.items.add(new File([text], name));
		return new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true });
	};
	window.lastFile = () => [...document.querySelectorAll('#messages li.file')].at(-1);
	window.fileSays = () => lastFile()?.querySelector('[role=status]').textContent ?? '';`

// memory is a file in memory.
type memory struct{ bytes.Buffer }

func (m *memory) WriteAt(p []byte, _ int64) (int, error) { return m.Write(p) }

func offered(t *testing.T, room noom.Room) noom.OfferedFile {
	t.Helper()
	for event := range room.Events(t.Context()) {
		if e, ok := event.(noom.FileOffered); ok {
			return e.File
		}
	}
	t.Fatal("the room is over")
	return nil
}

// A file that is dropped on a picture goes to that member, on the chat to everyone; one that comes is shown in the chat, as
// text, and comes when the person wants it.
func TestFiles(t *testing.T) { browsertest.EachKind(t, testFiles) }

func testFiles(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	tab := enter(t, kind.Start(t).In("ko"), server, "데모", "지우")
	tab.Do(filesPage)
	room := joinBare(t, server, "데모", "")
	tab.Wait("the other", `tiles().length === 1 && tiles()[0].dataset.state === 'connected'`)
	peer := room.Peers()[0]

	// To the member whose picture it is.
	tab.Wait("that it may be dropped", `!tiles()[0].dispatchEvent(carried('dragover', '보고서.pdf', '')) && 'drop' in tiles()[0].dataset`)
	tab.Do(`tiles()[0].querySelector('video').dispatchEvent(carried('drop', '보고서.pdf', '내용'))`)
	file := offered(t, room)
	tab.Wait("that it waits", `fileSays() === '답을 기다리는 중' && !('drop' in tiles()[0].dataset)`)
	var got memory
	if err := file.Accept(t.Context(), &got, nil); err != nil || file.Name() != "보고서.pdf" || got.String() != "내용" {
		t.Errorf("%v came with %q: %v", file, got.String(), err)
	}
	tab.Wait("that it has arrived", `fileSays() === '보냈습니다' && lastFile().querySelector('progress').hidden && !lastFile().querySelector('button')`)

	// To everyone: dropped on the chat, and chosen.
	tab.Do(`document.getElementById('messages').dispatchEvent(carried('drop', 'a.txt', 'x'))`)
	offered(t, room).Decline()
	tab.Wait("that it is declined", `fileSays() === '거절됨' && lastFile().textContent.includes('지우 (나) → 모두')`)
	tab.Do(`{
		const input = document.getElementById('attached');
		input.files = carried('drop', 'b.txt', 'x').dataTransfer.files;
		input.dispatchEvent(new Event('change'));
	}`)
	file = offered(t, room)
	tab.Click("#messages li.file:last-child button") // cancels
	tab.Wait("that it is cancelled", `fileSays() === '취소됨'`)
	if err := file.Accept(t.Context(), &got, nil); !errors.Is(err, &noom.FileError{Code: noom.FileCancelled}) {
		t.Errorf("what was cancelled: %v", err)
	}
	tab.Wait("nothing elsewhere", `!document.querySelector('#call header').dispatchEvent(carried('drop', 'c.txt', 'x')) && lastFile().textContent.includes('b.txt')`)

	// From the other, under a name that would be markup.
	const name = `<img src=x onerror="document.title='broken'">.txt`
	const shown = `_img src=x onerror=_document.title='broken'__.txt`
	result := make(chan error, 1)
	send := func(content string) {
		go func() { result <- peer.SendFile(t.Context(), name, bytes.NewReader([]byte(content)), nil) }()
		tab.Wait("the offer", fmt.Sprintf(`lastFile().querySelector('bdi').textContent === %q && lastFile().querySelectorAll('button').length === 2`, shown))
	}
	send("하나")
	tab.Wait("what it is", `lastFile().textContent.includes('6바이트') && lastFile().querySelector('button').ariaLabel.endsWith('.txt 받기') && !document.querySelector('#messages img')`)
	tab.Screenshot("file-offered")
	tab.Click("#messages li.file:last-child button.primary")
	if err := <-result; err != nil {
		t.Error(err)
	}
	tab.Wait("that it is saved", fmt.Sprintf(`fileSays() === '저장했습니다' && saved.length === 2 && saved[1] === %q && saved[0].text().then((text) => text === '하나')`, shown))
	send("둘")
	tab.Click("#messages li.file:last-child button:not(.primary)")
	if err := <-result; !errors.Is(err, noom.ErrDeclined) {
		t.Errorf("declined: %v", err)
	}
	tab.Wait("that it is declined", `fileSays() === '거절됨' && saved.length === 2`)
}
