package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// An end is a member's connection without a network, so that what is measured
// is the hub: frames come from in, and what it is sent is counted.
type end struct {
	in     chan []byte
	counts signal.Type
	got    chan int // how many of those each write had
}

func newEnd(counts signal.Type) *end {
	return &end{in: make(chan []byte), counts: counts, got: make(chan int, 1024)}
}

func (e *end) Receive(context.Context) (signal.Message, error) {
	frame, more := <-e.in
	if !more {
		return signal.Message{}, io.EOF
	}
	return signal.Decode(frame)
}

func (e *end) SendAll(_ context.Context, batch []*signal.Message) error {
	n := 0
	for _, m := range batch {
		if m.Type == e.counts {
			n++
		}
	}
	if n > 0 {
		e.got <- n
	}
	return nil
}

func (e *end) Send(ctx context.Context, m signal.Message) error {
	return e.SendAll(ctx, []*signal.Message{&m})
}

func (e *end) Close() error { return nil }

// benchConfig is that of a hub that lets through what it is given.
func benchConfig() *hub.Config {
	return &hub.Config{Limits: signal.Limits{Rate: 1 << 30}, QueueFrames: 1 << 20, QueueBytes: 1 << 30}
}

// room brings n ends into one room; they count frames of one type. They take turns at the hubs.
func room(b *testing.B, n int, counts signal.Type, hubs ...*hub.Hub) (ends []*end, ids []string) {
	b.Helper()
	served := make(chan error)
	for i := range n {
		e, key := newEnd(counts), signal.PublicKey(fmt.Sprintf("%032d", i))
		go func() { served <- hubs[i%len(hubs)].Serve(context.Background(), e) }()
		e.in <- frame(b, signal.Message{Type: signal.TypeJoin, Room: "데모", Key: key, Session: signal.NewSession()})
		e.in <- []byte(`{"type":"ping"}`) // taken once it has joined
		ends, ids = append(ends, e), append(ids, signal.MemberID(key))
	}
	b.Cleanup(func() {
		for _, e := range ends {
			close(e.in)
		}
		for range ends {
			if err := <-served; !errors.Is(err, io.EOF) {
				b.Error(err)
			}
		}
		for _, e := range ends {
			close(e.got)
		}
	})
	return ends, ids
}

func frame(b *testing.B, m signal.Message) []byte {
	b.Helper()
	encoded, err := m.Encode()
	if err != nil {
		b.Fatal(err)
	}
	return encoded
}

// pump has from send b.N frames, at most window of them ahead of what to got.
func pump(b *testing.B, from, to *end, frame []byte) {
	b.Helper()
	const window = 64
	b.ReportAllocs()
	b.ResetTimer()
	for sent, got := 0, 0; got < b.N; {
		if sent < b.N && sent-got < window {
			from.in <- frame
			sent++
			continue
		}
		got += <-to.got
	}
}

// BenchmarkRelay is what the hub does with a 2 KB offer: read, route, stamp, queue, write.
func BenchmarkRelay(b *testing.B) { benchmarkRelay(b, hub.New(benchConfig())) }

// BenchmarkRelayBetweenHubs is the same where hubs are one, with nothing but memory between them: one hub alone, and two, of
// which each has one of the members.
func BenchmarkRelayBetweenHubs(b *testing.B) {
	for n := 1; n <= 2; n++ {
		b.Run(fmt.Sprintf("hubs=%d", n), func(b *testing.B) { benchmarkRelay(b, hubsThatAreOne(b, n)...) })
	}
}

// hubsThatAreOne starts hubs, and waits until they are at rest.
func hubsThatAreOne(b *testing.B, n int) (hubs []*hub.Hub) {
	b.Helper()
	var bus mem.Bus
	for range n {
		config := benchConfig()
		config.Cluster = &hub.Cluster{Backplane: bus.Join(), Beat: 50 * time.Millisecond, Dead: 5 * time.Second}
		h, err := hub.Open(config)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = h.Shutdown(context.Background()) }) // all its members are gone
		hubs = append(hubs, h)
	}
	time.Sleep(500 * time.Millisecond)
	return hubs
}

func benchmarkRelay(b *testing.B, hubs ...*hub.Hub) {
	b.Helper()
	ends, ids := room(b, 2, signal.TypeOffer, hubs...)
	session := signal.NewSession()
	offer := frame(b, signal.Message{
		Type: signal.TypeOffer, To: ids[1], Sessions: [2]string{session, session}, Seq: 1,
		Epoch: signal.Epoch{Number: 1, By: ids[0]}, Signature: make(signal.Bytes, 64),
		Body: []byte(`{"id":1,"sdp":"` + strings.Repeat("x", 1700) + `"}`),
	})
	pump(b, ends[0], ends[1], offer)
}

// BenchmarkFanOut is what the hub does with a chat in a room of 50; divide by
// 50 for each delivery.
func BenchmarkFanOut(b *testing.B) {
	ends, _ := room(b, 50, signal.TypeChat, hub.New(benchConfig()))
	for _, e := range ends[1:] {
		go func() {
			for range e.got {
			}
		}()
	}
	pump(b, ends[0], ends[0], []byte(`{"type":"chat","id":"c","text":"안녕하세요"}`))
}
