package ws_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

// newRoom opens a hub on loopback with n members in one room.
func newRoom(b *testing.B, n int) (links []signal.Signaler, ids []string) {
	b.Helper()
	h := hub.New(&hub.Config{Limits: signal.Limits{Rate: 1 << 30}})
	server := httptest.NewServer(ws.Handler(h, nil))
	b.Cleanup(func() {
		_ = h.Shutdown(context.Background()) // everyone reads until then
		server.Close()
	})
	for i := range n {
		link, err := ws.Dialer{URL: server.URL}.Dial(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		key := signal.PublicKey(fmt.Sprintf("%032d", i))
		join := signal.Message{Type: signal.TypeJoin, Room: "데모", Key: key, Session: signal.NewSession()}
		if err = link.Send(b.Context(), join); err != nil {
			b.Fatal(err)
		}
		links, ids = append(links, link), append(ids, signal.MemberID(key))
		for m := (signal.Message{}); m.Type != signal.TypeJoined; {
			if m, err = link.Receive(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	return links, ids
}

// BenchmarkRelay carries 2 KB offers from one member to another, the clients'
// own work included.
func BenchmarkRelay(b *testing.B) {
	links, ids := newRoom(b, 2)
	session := signal.NewSession()
	offer := signal.Message{
		Type: signal.TypeOffer, To: ids[1], Sessions: [2]string{session, session}, Seq: 1,
		Epoch: signal.Epoch{Number: 1, By: ids[0]}, Signature: make(signal.Bytes, 64), Body: []byte(strings.Repeat("x", 2048)),
	}
	go drain(links[0])
	b.ReportAllocs()
	b.ResetTimer()
	window := make(chan struct{}, 256) // so that the receiver does not become too slow
	go func() {
		for range b.N {
			window <- struct{}{}
			if links[0].Send(b.Context(), offer) != nil {
				return // the other end will notice
			}
		}
	}()
	for n := 0; n < b.N; {
		m, err := links[1].Receive(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if m.Type == signal.TypeOffer {
			n++
			<-window
		}
	}
}

// BenchmarkFanOut carries a chat to everyone in a room of 32.
func BenchmarkFanOut(b *testing.B) {
	links, _ := newRoom(b, 32)
	for _, link := range links[1:] {
		go drain(link)
	}
	chat := signal.Message{Type: signal.TypeChat, ID: "c", Text: "안녕하세요"}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N { // one at a time, so that no member becomes too slow
		if err := links[0].Send(b.Context(), chat); err != nil {
			b.Fatal(err)
		}
		for m := (signal.Message{}); m.Type != signal.TypeChat; {
			var err error
			if m, err = links[0].Receive(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func drain(link signal.Signaler) {
	for {
		if _, err := link.Receive(context.Background()); err != nil {
			return
		}
	}
}
