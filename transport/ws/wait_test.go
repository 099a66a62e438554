package ws_test

import (
	"fmt"
	"testing"

	"github.com/coder/websocket"

	"noom/signal"
)

// Who closes reads what the other end still sends until it agrees, while the
// reader of the same connection waits for something to receive.
func TestCloseWhileTheReaderWaits(t *testing.T) {
	h, url := serve(t)
	for n := range 20 {
		room := fmt.Sprint("방 ", n)
		m := dialRaw(t, url)
		m.join(room, "지우")
		m.expect(signal.TypeJoined)
		h.CloseRoom(room)
		for range 5 { // fails once the hub has closed
			_ = m.conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"pong"}`))
		}
		if f := m.expect(signal.TypeBye); f.Reason != signal.ReasonClosed {
			t.Fatalf("bye: %+v", f)
		}
		if _, err := m.read(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			t.Fatalf("the end: %v, want status 1000", err)
		}
	}
}
