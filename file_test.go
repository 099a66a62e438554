package noom_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"noom"
	"noom/internal/data"
	"noom/internal/files"
)

// disk is what a receiver writes to.
type disk struct {
	mu    sync.Mutex
	bytes []byte
	fails error
}

func (d *disk) WriteAt(p []byte, offset int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails != nil {
		return 0, d.fails
	}
	if offset != int64(len(d.bytes)) {
		return 0, errors.New("not in order")
	}
	d.bytes = append(d.bytes, p...)
	return len(p), nil
}

// countingReader counts what is read.
type countingReader struct {
	*bytes.Reader

	read int
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.read += n
	return n, err
}

// changingFile is a file that another program may change.
type changingFile struct {
	mu sync.Mutex
	r  *bytes.Reader
}

func (f *changingFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.r.Read(p)
}

func (f *changingFile) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.r.Seek(offset, whence)
}

func (f *changingFile) change(content []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.r.Reset(content)
}

// fileOf returns so many bytes without a pattern.
func fileOf(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content) // it never fails
	return content
}

// sendFile sends in the background, and returns where the result comes.
func sendFile(ctx context.Context, p noom.Peer, name string, r io.ReadSeeker, o *noom.FileOptions) <-chan error {
	result := make(chan error, 1)
	go func() { result <- p.SendFile(ctx, name, r, o) }()
	return result
}

func two(t *testing.T, w *world) (a, b noom.Room) {
	t.Helper()
	a, b = w.join("r", "alice", nil), w.join("r", "밥", nil)
	until(t, a, connected)
	until(t, b, connected)
	return a, b
}

func offeredTo(t *testing.T, r noom.Room) noom.OfferedFile {
	t.Helper()
	return until[noom.FileOffered](t, r, nil).File
}

func hasCode(err error, code noom.FileCode, remote bool) bool {
	var e *noom.FileError
	return errors.As(err, &e) && e.Code == code && e.Remote == remote
}

// TestFile: a file arrives as it is, under a name that is safe, and both ends see how far it is.
func TestFile(t *testing.T) {
	for name, size := range map[string]int{"empty": 0, "one byte": 1, "one chunk": 32768, "10 MiB": 10 << 20} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
				a, b := two(t, w)
				content := fileOf(size)
				var sent, got [][2]int64
				note := func(to *[][2]int64) *noom.FileOptions {
					return &noom.FileOptions{Progress: func(done, total int64) { *to = append(*to, [2]int64{done, total}) }}
				}
				result := sendFile(t.Context(), peerOf(t, a, b), "../../비밀/보고서\u202e.pdf", bytes.NewReader(content), note(&sent))
				offer := until[noom.FileOffered](t, b, nil)
				if offer.File.Name() != "보고서.pdf" || offer.File.Size() != int64(size) || offer.Peer.ID() != a.Self().ID {
					t.Fatalf("offered: %v", offer)
				}
				var d disk
				must(t, offer.File.Accept(t.Context(), &d, note(&got)))
				must(t, <-result)
				if !bytes.Equal(d.bytes, content) {
					t.Fatalf("%d bytes arrived of %d, or others", len(d.bytes), size)
				}
				for _, calls := range [][][2]int64{sent, got} {
					last := [2]int64{int64(size), int64(size)}
					if len(calls) == 0 || slices.Index(calls, last) != len(calls)-1 {
						t.Errorf("progress: %v", calls)
					}
					if !slices.IsSortedFunc(calls, func(x, y [2]int64) int { return int(x[0] - y[0]) }) {
						t.Errorf("progress goes back: %v", calls)
					}
				}
				if err := offer.File.Accept(t.Context(), &d, nil); !errors.Is(err, noom.ErrClosed) {
					t.Errorf("accepted again: %v", err)
				}
			})
		})
	}
}

// TestFileOverRebuilds: it goes on where it was, over each connection that follows, and reads little again.
func TestFileOverRebuilds(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := two(t, w)
		content := fileOf(4 << 20)
		source := &countingReader{Reader: bytes.NewReader(content)}
		const rebuilds = 3
		ends := []noom.Peer{peerOf(t, a, b), peerOf(t, b, a)}
		broken := 0
		result := sendFile(t.Context(), ends[0], "영상.webm", source, nil)
		var d disk
		must(t, offeredTo(t, b).Accept(t.Context(), &d, &noom.FileOptions{Progress: func(done, total int64) {
			if broken < rebuilds && done > total*int64(broken+1)/(rebuilds+1) {
				breakUp(ends[broken%2])
				broken++
			}
		}}))
		must(t, <-result)
		if !bytes.Equal(d.bytes, content) || broken != rebuilds {
			t.Fatalf("%d bytes arrived, %d breaks", len(d.bytes), broken)
		}
		if most := len(content) + rebuilds*files.Window*files.ChunkSize; source.read > most {
			t.Errorf("%d bytes were read, at most %d have to be", source.read, most)
		}
	})
}

// TestFileOverOutage: time without a connection does not count as time in which nothing comes.
func TestFileOverOutage(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := two(t, w)
		content := fileOf(3 << 20)
		result := sendFile(t.Context(), peerOf(t, a, b), "a.bin", bytes.NewReader(content), nil)
		cut := sync.OnceFunc(func() {
			w.Cut("밥")
			time.AfterFunc(3*files.StallTimeout, func() { w.Heal() })
		})
		var d disk
		must(t, offeredTo(t, b).Accept(t.Context(), &d, &noom.FileOptions{Progress: func(done, total int64) {
			if done > total/2 {
				cut()
			}
		}}))
		must(t, <-result)
		if !bytes.Equal(d.bytes, content) {
			t.Fatal("other bytes arrived")
		}
	})
}

// TestOfferOverRebuild: an offer outlives connections too, and is shown once.
func TestOfferOverRebuild(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := two(t, w)
		content := fileOf(100_000)
		result := sendFile(t.Context(), peerOf(t, a, b), "a", bytes.NewReader(content), nil)
		offer := offeredTo(t, b)
		for range files.MaxSilences + 1 {
			breakUp(peerOf(t, a, b))
			until(t, a, connected)
			time.Sleep(time.Second)
		}
		for _, e := range waiting(t, b) {
			if _, again := e.(noom.FileOffered); again {
				t.Error("it is offered again")
			}
		}
		var d disk
		must(t, offer.Accept(t.Context(), &d, nil))
		must(t, <-result)
		if !bytes.Equal(d.bytes, content) {
			t.Fatal("other bytes arrived")
		}
	})
}

// TestFileEnds: whoever ends a file, both ends learn it, and why.
func TestFileEnds(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := two(t, w)
		p := peerOf(t, a, b)
		content := fileOf(3 << 20)
		offer := func(ctx context.Context) (<-chan error, noom.OfferedFile) {
			result := sendFile(ctx, p, "a.bin", bytes.NewReader(content), nil)
			return result, offeredTo(t, b)
		}
		half := func(do func()) *noom.FileOptions {
			return &noom.FileOptions{Progress: func(done, total int64) {
				if done > total/2 {
					do()
				}
			}}
		}

		for range 50 { // whether or not anybody watches the file yet
			result, file := offer(t.Context())
			file.Decline()
			if err := <-result; !errors.Is(err, noom.ErrDeclined) {
				t.Fatalf("declined at once: %v", err)
			}
		}
		result, file := offer(t.Context())
		file.Decline()
		file.Decline()
		if err := <-result; !errors.Is(err, noom.ErrDeclined) || !hasCode(err, noom.FileDeclined, true) {
			t.Errorf("declined: %v", err)
		}
		if err := file.Accept(t.Context(), &disk{}, nil); !errors.Is(err, noom.ErrClosed) {
			t.Errorf("accepted after that: %v", err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		result, file = offer(ctx)
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("the offer is taken back: %v", err)
		}
		time.Sleep(time.Second)
		if err := file.Accept(t.Context(), &disk{}, nil); !hasCode(err, noom.FileCancelled, true) {
			t.Errorf("accepted after that: %v", err)
		}

		ctx, cancel = context.WithCancel(t.Context())
		result, file = offer(ctx)
		if err := file.Accept(t.Context(), &disk{}, half(cancel)); !hasCode(err, noom.FileCancelled, true) {
			t.Errorf("the sender gives up: %v", err)
		}
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("the sender gives up: %v", err)
		}

		ctx, cancel = context.WithCancel(t.Context())
		result, file = offer(t.Context())
		if err := file.Accept(ctx, &disk{}, half(cancel)); !errors.Is(err, context.Canceled) {
			t.Errorf("the receiver gives up: %v", err)
		}
		if err := <-result; !hasCode(err, noom.FileCancelled, true) {
			t.Errorf("the receiver gives up: %v", err)
		}

		full := errors.New("꽉 찼다")
		result, file = offer(t.Context())
		if err := file.Accept(t.Context(), &disk{fails: full}, nil); !hasCode(err, noom.FileFailed, false) || !errors.Is(err, full) {
			t.Errorf("the disk is full: %v", err)
		}
		if err := <-result; !hasCode(err, noom.FileFailed, true) {
			t.Errorf("the disk is full: %v", err)
		}

		for what, now := range map[string][]byte{"shrinks": content[:100], "grows": append(content, 1)} {
			changes := &changingFile{r: bytes.NewReader(content)}
			result = sendFile(t.Context(), p, "a.bin", changes, nil)
			err := offeredTo(t, b).Accept(t.Context(), &disk{}, half(func() { changes.change(now) }))
			if !errors.Is(err, noom.ErrFileChanged) || !errors.Is(<-result, noom.ErrFileChanged) {
				t.Errorf("the file %s: %v", what, err)
			}
		}
	})
}

// TestFileAndLeaving: a file ends with either member.
func TestFileAndLeaving(t *testing.T) {
	for _, leaves := range []string{"sender", "receiver"} {
		t.Run(leaves, func(t *testing.T) {
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
				a, b := two(t, w)
				result := sendFile(t.Context(), peerOf(t, a, b), "a.bin", bytes.NewReader(fileOf(3<<20)), nil)
				offer := offeredTo(t, b)
				waits := sendFile(t.Context(), peerOf(t, a, b), "b.bin", bytes.NewReader(nil), nil)
				leave := sync.OnceFunc(func() {
					r := map[string]noom.Room{"sender": a, "receiver": b}[leaves]
					go func() { _ = r.Leave(context.Background()) }()
				})
				err := offer.Accept(t.Context(), &disk{}, &noom.FileOptions{Progress: func(done, total int64) {
					if done > total/2 {
						leave()
					}
				}})
				if !errors.Is(err, noom.ErrClosed) && !hasCode(err, noom.FileCancelled, leaves == "sender") {
					t.Errorf("the receiver: %v", err)
				}
				for _, result := range []<-chan error{result, waits} {
					if err := <-result; !errors.Is(err, noom.ErrClosed) && !hasCode(err, noom.FileCancelled, leaves == "receiver") {
						t.Errorf("the sender: %v", err)
					}
				}
			})
		})
	}
}

// TestFileAndLoss: a file waits for a member whose network is gone, and ends once the member is.
func TestFileAndLoss(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := two(t, w)
		p := peerOf(t, a, b)
		ctx, cancel := context.WithCancel(t.Context())
		result := sendFile(t.Context(), p, "a.bin", bytes.NewReader(fileOf(3<<20)), nil)
		offer := offeredTo(t, b)
		accepted := make(chan error, 1)
		go func() {
			accepted <- offer.Accept(ctx, &disk{}, &noom.FileOptions{Progress: func(done, total int64) {
				if done > total/2 {
					w.Cut("밥")
					w.CutSignaling("밥")
				}
			}})
		}()
		until[noom.PeerLeft](t, a, nil)
		if err := <-result; !errors.Is(err, noom.ErrClosed) {
			t.Errorf("the sender: %v", err)
		}
		if err := p.SendFile(t.Context(), "b.bin", bytes.NewReader(nil), nil); !errors.Is(err, noom.ErrClosed) {
			t.Errorf("a file to a member that is gone: %v", err)
		}
		cancel()
		if err := <-accepted; !errors.Is(err, context.Canceled) {
			t.Errorf("the receiver: %v", err)
		}
		w.Heal()
		w.HealSignaling("밥")
	})
}

// TestFileBounds: four files of a peer come at a time, 16 wait, and those that are too big are not offered.
func TestFileBounds(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "alice", nil), w.join("r", "밥", &noom.Config{MaxFileSize: 1 << 20})
		until(t, a, connected)
		until(t, b, connected)
		p := peerOf(t, a, b)
		if err := p.SendFile(t.Context(), "a", bytes.NewReader(make([]byte, 1<<20+1)), nil); !hasCode(err, noom.FileTooBig, true) {
			t.Errorf("too big: %v", err)
		}
		content := fileOf(1 << 20)
		const many = files.MaxPending + 2
		results := make(chan error, many)
		for range many {
			go func() { results <- p.SendFile(t.Context(), "a", bytes.NewReader(content), nil) }()
		}
		time.Sleep(time.Second)
		var offers []noom.OfferedFile
		for _, e := range waiting(t, b) {
			if e, ok := e.(noom.FileOffered); ok {
				offers = append(offers, e.File)
			}
		}
		if len(offers) != files.MaxPending {
			t.Fatalf("%d offers wait, want %d", len(offers), files.MaxPending)
		}
		var mu sync.Mutex
		running, most, gate := make(map[int]bool), 0, make(chan struct{})
		accepted := make(chan error, many)
		accept := func(i int, offer noom.OfferedFile) {
			accepted <- offer.Accept(t.Context(), &disk{}, &noom.FileOptions{Progress: func(done, total int64) {
				mu.Lock()
				running[i] = done < total
				n := 0
				for _, r := range running {
					if r {
						n++
					}
				}
				most = max(most, n)
				mu.Unlock()
				<-gate
			}})
		}
		for i, offer := range offers {
			go accept(i, offer)
		}
		time.Sleep(time.Second)
		mu.Lock()
		if most != files.MaxRunning {
			t.Errorf("%d files come at a time, want %d", most, files.MaxRunning)
		}
		mu.Unlock()
		close(gate)
		for i := range many - files.MaxPending {
			go accept(many+i, offeredTo(t, b))
		}
		for range many {
			must(t, <-accepted)
			must(t, <-results)
		}
	})
}

// rawFile opens a channel for a file, as a member does that keeps to no rule.
func rawFile(t *testing.T, p noom.Peer, frames ...[]byte) *data.Channel {
	t.Helper()
	c, err := noom.LinkOf(p).OpenChannel(t.Context(), files.Label, nil)
	must(t, err)
	for _, frame := range frames {
		must(t, c.Send(t.Context(), frame))
	}
	return c
}

func answers(t *testing.T, c *data.Channel) (all [][]byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		frame, err := c.Receive(ctx)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("the channel ends with %v", err)
			}
			return all
		}
		all = append(all, frame)
	}
}

// TestFileLies: a member that breaks the rules of files gets nothing but the end of its file.
func TestFileLies(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := two(t, w)
		p := peerOf(t, a, b)
		offer := func(n byte, size int64) []byte { return files.NewSender(files.ID{n}, "거짓", size).Open() }
		noted, broken := []byte{2}, files.Cancel(files.Broken)
		check := func(what string, c *data.Channel, want ...[]byte) {
			t.Helper()
			if got := answers(t, c); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%s: answered by %x, want %x", what, got, want)
			}
		}
		check("no offer", rawFile(t, p, []byte("hello")), broken)
		check("nothing", rawFile(t, p))
		check("a chunk before it is accepted", rawFile(t, p, offer(2, 1), append([]byte{4}, make([]byte, 37)...)), noted, broken)
		until[noom.FileOffered](t, b, nil) // or it would stand below for that of another file
		check("the same again", rawFile(t, p, offer(2, 1)), broken)
		check("another size", rawFile(t, p, offer(2, 2)), broken)

		old := rawFile(t, p, offer(4, 1))
		until[noom.FileOffered](t, b, nil)
		newer := rawFile(t, p, offer(4, 1))
		check("a channel that another one follows", old, noted)
		must(t, newer.Send(t.Context(), files.Cancel(files.Cancelled)))
		check("the other one", newer, noted)

		// What is not accepted stays, and is bounded, also if it ends before the application takes it.
		for i := range byte(files.MaxPending) {
			check("taken back", rawFile(t, p, offer(100+i, 1), files.Cancel(files.Cancelled)), noted)
		}
		check("one too many", rawFile(t, p, offer(200, 1)), files.Cancel(files.Busy))
		for range files.MaxPending {
			until[noom.FileOffered](t, b, nil)
		}

		// A sender that sends nothing any longer.
		c := rawFile(t, p, offer(3, 100_000))
		began := time.Now()
		if err := offeredTo(t, b).Accept(t.Context(), &disk{}, nil); !hasCode(err, noom.FileStalled, false) {
			t.Errorf("a sender that stalls: %v", err)
		}
		if waited := time.Since(began).Round(time.Second); waited != files.StallTimeout {
			t.Errorf("it is waited for for %v", waited)
		}
		if got := answers(t, c); len(got) == 0 || !bytes.Equal(got[len(got)-1], files.Cancel(files.Stalled)) {
			t.Errorf("it is answered by %x", got)
		}

		// All else goes on.
		if _, err := p.OpenChannel(t.Context(), "noom.file", nil); err == nil {
			t.Error("an application has opened a channel for files")
		}
		result := sendFile(t.Context(), p, "a", bytes.NewReader(nil), nil)
		must(t, offeredTo(t, b).Accept(t.Context(), &disk{}, nil))
		must(t, <-result)
	})
}

// TestFileUnsupported: a member that closes the channel without an answer does not know files.
func TestFileUnsupported(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := two(t, w)
		noom.CloseFiles(peerOf(t, b, a))
		if err := peerOf(t, a, b).SendFile(t.Context(), "a", bytes.NewReader(nil), nil); !hasCode(err, noom.FileUnsupported, false) {
			t.Errorf("got %v", err)
		}
	})
}
