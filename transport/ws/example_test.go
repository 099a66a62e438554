package ws_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"noom/signal/hub"
	"noom/transport/ws"
)

// A hub that strangers reach: it knows its name, bounds the time and the connections that they get,
// and shows the list of rooms to its own pages.
func ExampleHTTPServer() {
	const name = "call.example.com"
	h := hub.New(&hub.Config{Logger: slog.Default()})
	mux := http.NewServeMux()
	mux.Handle("/ws", ws.Handler(h, &ws.AcceptOptions{Hosts: []string{name}}))
	mux.Handle("/rooms", ws.OnlyHosts(h.RoomsHandler(), name))
	server := ws.HTTPServer(mux, slog.Default())

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	listener = ws.LimitListener(listener, nil)
	if config := certificates(); config != nil { // TLS belongs around it
		listener = tls.NewListener(listener, config)
	}
	go func() { _ = server.Serve(listener) }() // until Close

	_, err = ws.Dialer{URL: "ws://" + listener.Addr().String() + "/ws"}.Dial(context.Background())
	fmt.Println("by another name:", err != nil)
	_ = h.Shutdown(context.Background()) // there are no members
	_ = server.Close()
	// Output: by another name: true
}

func certificates() *tls.Config { return nil }
