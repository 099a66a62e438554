package http_test

import (
	"net/http/httptest"
	"testing"

	noomhttp "noom/transport/http"
	"noom/transport/transporttest"
)

func TestTransport(t *testing.T) {
	hub := transporttest.NewAccepted()
	server := httptest.NewServer(noomhttp.Handler(hub, nil))
	t.Cleanup(server.Close)
	transporttest.Run(t, func(t *testing.T) transporttest.Pair {
		t.Helper()
		return hub.Pair(t, noomhttp.Dialer{URL: server.URL})
	})
}
