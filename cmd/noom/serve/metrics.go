package serve

import (
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"noom/signal/hub"
	"noom/signal/hub/metrics"
	"noom/transport/ws"
)

// serveMetrics serves /metrics on a listener of its own, so that it is seen
// from where that listens and nowhere else, until close.
func serveMetrics(listener net.Listener, h *hub.Hub) (closing func() error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.Collector(h), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := ws.HTTPServer(mux, nil)
	go func() { _ = server.Serve(listener) }() // ends with close
	return server.Close
}
