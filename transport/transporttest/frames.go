package transporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"noom/signal"
)

func (t sendTrial) order() {
	const frames = 500
	failed := make(chan error, 1)
	go func() {
		for n := range frames {
			if err := t.from.Send(t.Context(), numberedFrame(n)); err != nil {
				failed <- fmt.Errorf("send %d: %w", n, err)
				return
			}
		}
		failed <- nil
	}()
	for n := range frames {
		if m := receive(t.T, t.to); m.ID != fmt.Sprint(n) {
			t.Fatalf("received %s, want %d", m.ID, n)
		}
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

// wholeFrames sends frames of many sizes, up to the limit.
func (t sendTrial) wholeFrames() {
	for _, size := range []int{0, 1, 125, 126, 127, 4095, 4096, 4097, 32768, 65535, signal.MaxFrame} {
		sent := pairFrame(size)
		want, err := sent.Encode()
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan error, 1)
		go func() { failed <- t.from.Send(t.Context(), sent) }()
		m := receive(t.T, t.to)
		got, err := m.Encode()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("a frame of %d bytes came out as %d bytes (%v)", len(want), len(got), err)
		}
		if err := <-failed; err != nil {
			t.Fatalf("Send of %d bytes: %v", len(want), err)
		}
	}
}

// bodyBytes checks that a body is carried as it is, in any script.
func (t sendTrial) bodyBytes() {
	sent := pairFrame(0)
	sent.Body = []byte("{ \"b\" : \"지우 👨‍👩‍👧 ünïcödé \u2028\",\t\"a\":1e0,\r\n \"\\u0000\":[ ] }\n\n")
	send(t.T, t.from, sent)
	if m := receive(t.T, t.to); !bytes.Equal(m.Body, sent.Body) {
		t.Fatalf("body %q came out as %q", sent.Body, m.Body)
	}
}

func (t sendTrial) tooBigToSend() {
	err := t.from.Send(t.Context(), pairFrame(signal.MaxFrame+1))
	if !errors.Is(err, &signal.Error{Code: signal.CodeTooBig}) {
		t.Fatalf("Send of a frame above the limit: %v, want %s", err, signal.CodeTooBig)
	}
	// Nothing was written, so the other end must not have noticed.
	go func() { _ = t.from.Close() }() // was tested elsewhere
	if _, err := t.to.Receive(t.Context()); errors.Is(err, &signal.Error{Code: signal.CodeTooBig}) {
		t.Fatal("a frame above the limit was written")
	}
}

func (t sendTrial) validUntilNextReceive() {
	first := pairFrame(20_000)
	want, err := first.Encode()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = t.from.Send(t.Context(), first) // Receive reports it
		_ = t.from.Send(t.Context(), numberedFrame(2))
		_ = t.from.Send(t.Context(), numberedFrame(3))
	}()
	m := receive(t.T, t.to)
	frame, err := m.Encode()
	if err != nil || !bytes.Equal(frame, want) {
		t.Fatalf("received %.40q (%v)", frame, err)
	}
	receive(t.T, t.to)
	if m := receive(t.T, t.to); m.ID != "3" {
		t.Fatalf("received %s, want 3", m.ID)
	}
}

func (t sendTrial) bothWaysAtOnce() {
	const frames = 200
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var both sync.WaitGroup
	for _, end := range []signal.Signaler{t.from, t.to} {
		both.Go(func() {
			for n := range frames {
				if err := end.Send(ctx, numberedFrame(n)); err != nil {
					t.Errorf("Send: %v", err)
					return
				}
			}
		})
		both.Go(func() {
			for n := range frames {
				if m, err := end.Receive(ctx); err != nil || m.ID != fmt.Sprint(n) {
					t.Errorf("Receive %d: %s, %v", n, m.ID, err)
					return
				}
			}
		})
	}
	both.Wait()
}

// pairFrame is a pair frame of size bytes in all, or the smallest there is.
func pairFrame(size int) signal.Message {
	id, session := strings.Repeat("a", 26), strings.Repeat("A", 22)
	m := signal.Message{
		Type: signal.TypeOffer, To: id, Sessions: [2]string{session, session},
		Epoch: signal.Epoch{Number: 1, By: id}, Seq: 1, Signature: make(signal.Bytes, 64),
	}
	bare := m
	envelope, err := bare.Encode()
	if err != nil {
		panic(err) // it is small
	}
	if fill := size - len(envelope) - 1; fill >= 0 {
		m.Body = bytes.Repeat([]byte("x"), fill)
	}
	return m
}
