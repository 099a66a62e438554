package transporttest_test

import (
	"net/http/httptest"
	"testing"

	"noom/transport/mem"
	"noom/transport/transporttest"
	"noom/transport/ws"
)

// A transport that makes both ends itself hands them over as they are.
func ExampleRun() {
	var t *testing.T // your test's
	transporttest.Run(t, func(t *testing.T) transporttest.Pair {
		t.Helper()
		client, server := mem.Pipe()
		return transporttest.Pair{Client: client, Server: server}
	})
}

// A transport whose server is handed a hub gets an Accepted in its place.
func ExampleAccepted() {
	var t *testing.T // your test's
	hub := transporttest.NewAccepted()
	server := httptest.NewServer(ws.Handler(hub, nil))
	defer server.Close()
	transporttest.Run(t, func(t *testing.T) transporttest.Pair {
		t.Helper()
		return hub.Pair(t, ws.Dialer{URL: server.URL})
	})
}
