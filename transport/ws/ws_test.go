package ws_test

import (
	"net/http/httptest"
	"testing"

	"noom/transport/transporttest"
	"noom/transport/ws"
)

func TestTransport(t *testing.T) {
	t.Parallel()
	hub := transporttest.NewAccepted()
	server := httptest.NewServer(ws.Handler(hub, nil))
	t.Cleanup(server.Close)
	transporttest.Run(t, func(t *testing.T) transporttest.Pair {
		t.Helper()
		return hub.Pair(t, ws.Dialer{URL: server.URL})
	})
}
