package mem_test

import (
	"bytes"
	"testing"

	"noom/signal"
	"noom/transport/mem"
	"noom/transport/transporttest"
)

func TestPipe(t *testing.T) {
	transporttest.Run(t, func(*testing.T) transporttest.Pair {
		client, server := mem.Pipe()
		return transporttest.Pair{Client: client, Server: server}
	})
}

func TestDialer(t *testing.T) {
	hub := transporttest.NewAccepted()
	transporttest.Run(t, func(t *testing.T) transporttest.Pair {
		t.Helper()
		return hub.Pair(t, mem.Dialer(hub))
	})
}

// A caller that keeps a frame beyond the next Receive must find out.
func TestReceiveWipesTheFrameBefore(t *testing.T) {
	client, server := mem.Pipe()
	for range 2 {
		if err := client.Send(t.Context(), signal.Message{Type: signal.TypePing}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := server.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(kept)
	if _, err := server.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(kept, before) {
		t.Fatal("the bytes of the message before are still there")
	}
}
