package http_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"noom/signal"
	"noom/signal/hub"
	noomhttp "noom/transport/http"
	"noom/transport/ws"
)

// A hub is mounted twice, under the same names; members choose.
func ExampleHandler() {
	h := hub.New(nil)
	accept := ws.AcceptOptions{Hosts: []string{"call.example", ws.OwnAddress}}
	mux := http.NewServeMux()
	mux.Handle("/ws", ws.Handler(h, &accept))
	mux.Handle("/http", noomhttp.Handler(h, &noomhttp.AcceptOptions{AcceptOptions: accept}))
	server := httptest.NewServer(mux)
	defer server.Close()

	link, err := noomhttp.Dialer{URL: server.URL + "/http"}.Dial(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = link.Close() }() // never fails
	fmt.Println(signal.Endpoint(link) == server.Listener.Addr().String())
	// Output: true
}
