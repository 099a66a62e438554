package serve

import (
	"context"
	"net"
	"net/http"
	"strings"

	"noom/signal"
	"noom/transport/ws"
)

// openPlain serves plain http, which leads to the page, and answers the ACME server.
func (f *front) openPlain(ctx context.Context) error {
	listener, err := listenOn(ctx, f.plain, " for -http")
	if err != nil {
		return err
	}
	handler := redirect(f.publicPort, f.names())
	if f.identity.issuer != nil {
		handler = f.identity.issuer.manager.HTTPHandler(handler)
	}
	server := ws.HTTPServer(withoutPort(handler), nil)
	go func() { _ = server.Serve(ws.LimitListener(listener, nil)) }() // ends with close
	f.closing = append(f.closing, server.Close)
	return nil
}

// publicPort is the port by which members reach the page under a name: the one behind the name in
// -hosts, which differs where a router or proxy passes another on, or the one we listen on.
func (f *front) publicPort(name string) string {
	for _, host := range f.hosts {
		if own, port := signal.SplitHost(host); port != "" && strings.EqualFold(strings.Trim(own, "[]"), name) {
			return port
		}
	}
	_, port, _ := net.SplitHostPort(f.listener.Addr().String()) // a listener's address has both
	return port
}

// redirect leads to the same name over https, for hosts by which this server goes: by others it
// would lead elsewhere.
func redirect(port func(name string) string, hosts []string) http.Handler {
	return ws.OnlyHosts(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.Trim(r.Host, "[]")
		http.Redirect(w, r, secureURL(name, port(name))+r.URL.RequestURI(), http.StatusFound)
	}), hosts...)
}

// secureURL is where a page is over https.
func secureURL(name, port string) string {
	if port != "443" {
		return "https://" + net.JoinHostPort(name, port)
	}
	if strings.Contains(name, ":") {
		return "https://[" + name + "]"
	}
	return "https://" + name
}

// withoutPort takes the port from a request's host: the names of a certificate have none.
func withoutPort(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host, _ = signal.SplitHost(r.Host)
		next.ServeHTTP(w, r)
	})
}
