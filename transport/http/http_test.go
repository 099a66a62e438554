package http_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	noomhttp "noom/transport/http"
	"noom/transport/transporttest"
)

func TestTransport(t *testing.T) {
	t.Parallel()
	hub := transporttest.NewAccepted()
	server := httptest.NewServer(noomhttp.Handler(hub, nil))
	t.Cleanup(server.Close)
	transporttest.Run(t, func(t *testing.T) transporttest.Pair {
		t.Helper()
		return hub.Pair(t, noomhttp.Dialer{URL: server.URL})
	})
}

func TestTransportHTTP2(t *testing.T) {
	t.Parallel()
	hub := transporttest.NewAccepted()
	handler := noomhttp.Handler(hub, nil)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("a request by %s", r.Proto)
		}
		handler.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	transporttest.Run(t, func(t *testing.T) transporttest.Pair {
		t.Helper()
		return hub.Pair(t, noomhttp.Dialer{URL: server.URL, HTTPClient: server.Client()})
	})
}
