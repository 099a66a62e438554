package main

import (
	"context"
	"net"
	"net/http"

	"noom/transport/ws"
)

// openPlain serves plain http, which leads to the page, and answers the ACME server.
func (f *front) openPlain(ctx context.Context) error {
	listener, err := listenOn(ctx, f.plain, " for -http")
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(f.listener.Addr().String()) // a listener's address has both
	handler := redirect(port, f.names())
	if f.identity.issuer != nil {
		handler = f.identity.issuer.manager.HTTPHandler(handler)
	}
	server := ws.HTTPServer(withoutPort(handler), nil)
	go func() { _ = server.Serve(ws.LimitListener(listener, nil)) }() // ends with close
	f.closing = append(f.closing, server.Close)
	return nil
}

// redirect leads to the same address over https, for hosts by which this server goes: by others it
// would lead elsewhere.
func redirect(port string, hosts []string) http.Handler {
	return ws.OnlyHosts(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if port != "443" {
			host = net.JoinHostPort(host, port)
		}
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusFound)
	}), hosts...)
}

// withoutPort takes the port from a request's host: the names of a certificate have none.
func withoutPort(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = host
		}
		next.ServeHTTP(w, r)
	})
}
