package ws

import (
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"noom/signal"
)

// This file protects the handlers: a server that bounds the time of a client, and a listener that
// bounds its connections.

// HTTPServer returns a server for a [Handler] and other handlers, whose connections cost something
// only while they are served: 5 s for a TLS handshake and for a request's header of at most 16 KiB,
// 10 s for the whole request, 10 s for the answer, and 10 s until the next request. Members, and
// streams of a hub's list of rooms, lift these limits for themselves; another handler that takes
// longer can, with [http.ResponseController]. All are fields of the server and can be changed.
//
// logger gets net/http's log: clients' faults at Debug, the rest at Warn, ten lines in ten seconds
// at most. Nil: nothing is logged.
func HTTPServer(handler http.Handler, logger *slog.Logger) *http.Server {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(&serverLog{log: logger}, "", 0),
	}
}

// A serverLog takes the lines of a server that strangers reach.
type serverLog struct {
	log *slog.Logger

	mu    sync.Mutex
	since time.Time // the beginning of the present window
	lines int       // in it
}

const (
	logWindow = 10 * time.Second
	logLines  = 10
)

// Write implements [io.Writer].
func (l *serverLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if strings.HasPrefix(text, "http: TLS handshake error") {
		l.log.Debug(text)
		return len(line), nil
	}
	now := time.Now()
	l.mu.Lock()
	if now.Sub(l.since) > logWindow {
		l.since, l.lines = now, 0
	}
	l.lines++
	many := l.lines > logLines
	l.mu.Unlock()
	if many {
		l.log.Debug(text)
	} else {
		l.log.Warn(text)
	}
	return len(line), nil
}

// Limits bound the connections to a server. Nil works.
type Limits struct {
	// Total bounds all of them. 0: 25,000, which leaves room for as many members
	// and watchers as a hub takes. Beyond it new ones are closed at once.
	Total int
	// PerAddress bounds those from one IPv4 address or IPv6 /64, whatever they
	// do. 0: 1,024; negative: no bound. Loopback is not counted, since a proxy there
	// speaks for everyone: it has to bound them itself.
	PerAddress int
}

// LimitListener returns a listener that closes what is more than limits allow.
// TLS belongs around it: tls.NewListener(ws.LimitListener(l, nil), config).
func LimitListener(l net.Listener, limits *Limits) net.Listener {
	d := &door{Listener: l, near: make(map[netip.Prefix]int)}
	if limits != nil {
		d.limits = *limits
	}
	if d.limits.Total <= 0 {
		d.limits.Total = 25_000
	}
	if d.limits.PerAddress == 0 {
		d.limits.PerAddress = 1024
	}
	return d
}

// A door is a listener that counts.
type door struct {
	net.Listener

	limits Limits // never change

	mu    sync.Mutex
	count int
	near  map[netip.Prefix]int
}

// Accept implements [net.Listener].
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &guest{Conn: conn, door: d, from: remotePrefix(conn)}
		if d.enter(c.from) {
			return c, nil
		}
		_ = conn.Close() // it is refused either way
	}
}

func (d *door) enter(from netip.Prefix) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	counted := from.IsValid() && d.limits.PerAddress > 0
	if d.count >= d.limits.Total || counted && d.near[from] >= d.limits.PerAddress {
		return false
	}
	d.count++
	if counted {
		d.near[from]++
	}
	return true
}

func (d *door) leave(from netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count--
	if d.near[from]--; d.near[from] <= 0 {
		delete(d.near, from)
	}
}

// remotePrefix is what a connection is counted by; invalid: by nothing.
func remotePrefix(conn net.Conn) netip.Prefix {
	tcp, is := conn.RemoteAddr().(*net.TCPAddr)
	if !is || tcp.IP.IsLoopback() {
		return netip.Prefix{}
	}
	return signal.Neighbourhood(tcp.AddrPort().Addr())
}

// A guest is a connection that was let in.
type guest struct {
	net.Conn

	door *door
	from netip.Prefix
	gone sync.Once
}

// Close implements [net.Conn].
func (g *guest) Close() error {
	g.gone.Do(func() { g.door.leave(g.from) })
	return g.Conn.Close()
}

// CloseWrite announces to the other end that nothing more will come, as [net.TCPConn] does.
func (g *guest) CloseWrite() error {
	if half, can := g.Conn.(interface{ CloseWrite() error }); can {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
