package turn_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
	"noom/turn"
)

// A server with one open port for all: the page, the hub, and a relay over TLS.
func Example() {
	certificate, err := tls.LoadX509KeyPair("call.example.pem", "call.example.key")
	if err != nil {
		log.Print(err)
		return
	}
	relays, err := turn.New(netip.MustParseAddr("203.0.113.7"), nil)
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = relays.Close() }() // the program ends
	listener, err := net.Listen("tcp", ":443")
	if err != nil {
		log.Print(err)
		return
	}
	https, err := relays.Share(ws.LimitListener(listener, nil), &tls.Config{Certificates: []tls.Certificate{certificate}}, "call.example")
	if err != nil {
		log.Print(err)
		return
	}
	h := hub.New(&hub.Config{ICEServers: relays.ICEServers, ICELifetime: turn.CredentialLifetime})
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("page")))
	mux.Handle("/ws", ws.Handler(h, &ws.AcceptOptions{Hosts: []string{"call.example"}}))
	log.Print(ws.HTTPServer(mux, nil).Serve(https))
}

// What members are given.
func ExampleServer_ICEServers() {
	relays, err := turn.New(netip.MustParseAddr("127.0.0.1"), nil)
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = relays.Close() }() // the program ends
	port, err := relays.Listen(context.Background(), 0)
	if err != nil {
		log.Print(err)
		return
	}
	for _, server := range relays.ICEServers(context.Background(), signal.Member{ID: "bob"}) {
		for _, url := range server.URLs {
			fmt.Println(strings.ReplaceAll(url, fmt.Sprint(port), "PORT"))
		}
	}
	// Output:
	// stun:127.0.0.1:PORT
	// turn:127.0.0.1:PORT?transport=udp
	// turn:127.0.0.1:PORT?transport=tcp
}
