package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"noom/signal/hub"
	"noom/transport/ws"
)

// This file is what listens, in the order in which it is opened. Nobody has come before the last of
// it works, so what was opened before a failure has nothing to lose.

const (
	goodbye  = 3 * time.Second // members have to take their bye
	handover = 5 * time.Second // rooms have to go to other servers
)

// serve opens all that the flags ask for and serves until ctx ends.
func (o *options) serve(ctx context.Context, stdout, stderr io.Writer) error {
	plain, err := listenOn(ctx, o.addr, "")
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }() // it was closed, or has nothing to lose
	config := new(hub.Config)
	if o.tokenKey != "" {
		if config.Authorize, err = authorizer(o.tokenKey); err != nil {
			return err
		}
	}
	var hook *webhook
	if o.webhook != "" {
		log := slog.New(slog.NewTextHandler(stderr, nil))
		if hook, err = newWebhook(o.webhook, o.webhookSecret, log); err != nil {
			return err
		}
	}
	f := &front{options: o, listener: ws.LimitListener(plain, nil)}
	defer f.close()
	if err = f.open(ctx, config, stdout, stderr); err != nil {
		return err
	}
	if err = f.openCluster(config, stdout); err != nil {
		return err
	}
	var gauges net.Listener
	if o.metrics != "" {
		if gauges, err = listenOn(ctx, o.metrics, " for -metrics"); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(stdout, "metrics are at http://%s/metrics\n", gauges.Addr())
	}
	h, err := hub.Open(config)
	if err != nil {
		return fmt.Errorf("-nats: %w", err) // nothing else can be wrong
	}
	f.announce(stdout)
	return serveHub(ctx, f.listener, gauges, hook, h, f.handler, f.goodbye())
}

// listenOn listens for TCP; what names what it is for.
func listenOn(ctx context.Context, addr, what string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s%s: %s", addr, what, reason(err))
	}
	return listener, nil
}

// front is the port of the page, and what stands around it.
type front struct {
	*options
	listener net.Listener // for the page and the hub
	lan      []netip.Addr // where others in the network find it
	identity *identity    // nil: no TLS
	closing  []func() error
}

// open puts TLS and TURN before the page, as far as they are wanted.
func (f *front) open(ctx context.Context, config *hub.Config, stdout, stderr io.Writer) (err error) {
	if f.lan, err = lanAddresses(f.addr); err != nil {
		return err
	}
	relayAt := f.turn.address(f.addr)
	if f.tls.wanted() {
		names := f.lan
		if relayAt.IsValid() {
			names = append(slices.Clip(names), relayAt)
		}
		report := func(line string) { _, _ = fmt.Fprintln(stdout, line) }
		complain := func(line string) { _, _ = fmt.Fprintf(stderr, "%s: %s\n", f.name, line) }
		if f.identity, err = f.tls.open(names, report, complain); err != nil {
			return err
		}
	}
	if relayAt.IsValid() {
		if err = f.openTURN(ctx, relayAt, config, stdout); err != nil {
			return err
		}
	} else if f.identity != nil {
		f.listener = tls.NewListener(f.listener, f.identity.config)
	}
	if f.plain != "" {
		return f.openPlain(ctx)
	}
	return nil
}

// announce prints where the page is, and asks for its certificates.
func (f *front) announce(stdout io.Writer) {
	defer func() { _, _ = fmt.Fprintf(stdout, "   %s\n", reach(f.listener.Addr(), f.identity != nil)) }()
	if f.identity == nil {
		_, _ = fmt.Fprintf(stdout, "noom is at %s\n", address("http", f.listener.Addr(), f.addr))
		return
	}
	f.tls.announce(stdout, f.identity, f.listener.Addr(), f.addr, f.lan, f.publicPort)
	if f.identity.issuer != nil {
		f.identity.issuer.begin(f.tls.acme.domains)
	}
}

// reach says who can reach what listens there.
func reach(listening net.Addr, secure bool) string {
	at, err := netip.ParseAddrPort(listening.String())
	switch {
	case err == nil && at.Addr().IsLoopback():
		return fmt.Sprintf("only this machine can reach it; -addr :%d lets the network around it in", at.Port())
	case secure:
		return "the network around this machine can reach it too"
	}
	return "the network around this machine can reach it too, but over plain http browsers give pages from elsewhere no camera: add -tls-self-signed"
}

// names are those by which the server goes.
func (f *front) names() []string {
	if f.hosts != nil {
		return f.hosts
	}
	if f.identity == nil {
		return ownHosts(f.addr, nil)
	}
	return append(ownHosts(f.addr, f.identity.leaf), f.tls.acme.domains...)
}

// handler is what the port serves.
func (f *front) handler(h *hub.Hub) http.Handler {
	return Handler(f.page, h, ws.AcceptOptions{Hosts: f.names(), OriginPatterns: f.origins})
}

// goodbye is how long the end of the program may take.
func (f *front) goodbye() time.Duration {
	if f.cluster.nats != "" {
		return goodbye + handover
	}
	return goodbye
}

func (f *front) close() {
	for _, closing := range f.closing {
		_ = closing() // the program ends
	}
}

// serveHub serves until ctx ends, then says goodbye to everyone. gauges, if not
// nil, is where the metrics are, and hook what is posted events.
func serveHub(ctx context.Context, listener, gauges net.Listener, hook *webhook, h *hub.Hub, handler func(*hub.Hub) http.Handler, goodbye time.Duration) error {
	if hook != nil {
		defer hook.start(h)()
	}
	if gauges != nil {
		closing := serveMetrics(gauges, h)
		defer func() { _ = closing() }() // without a goodbye
	}
	server := ws.HTTPServer(handler(h), nil)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	// A member that is too slow for a goodbye is cut; that is no failure.
	_ = h.Shutdown(leaving)
	_ = server.Shutdown(leaving)
	return server.Close()
}
