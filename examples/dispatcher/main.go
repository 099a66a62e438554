// Command dispatcher is a hub with a host in every room: a bot that comes when the first guest does, greets all, and
// leaves with the last.
//
//	go run ./examples/dispatcher -addr localhost:8081
//	go run ./examples/native-peer -url ws://localhost:8081/ws -room demo
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"noom/signal/hub"
	"noom/transport/ws"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, flag.CommandLine, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	address := flags.String("addr", "localhost:8081", "where the hub listens")
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *address)
	if err != nil {
		return fmt.Errorf("dispatcher: -addr: %w", err)
	}
	_, _ = fmt.Fprintf(out, "the hub is ws://%s/ws\n", listener.Addr())
	h := hub.New(nil)
	events := h.Events(ctx) // from now on
	mux := http.NewServeMux()
	mux.Handle("/ws", ws.Handler(h, nil))
	server := ws.HTTPServer(mux, slog.Default())
	go func() { _ = server.Serve(ws.LimitListener(listener, nil)) }() // until Close

	dispatch(ctx, h, events)
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = h.Shutdown(leaving) // who does not go by then is cut
	return server.Close()
}
