package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"syscall"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"

	protocol "noom/signal"
	"noom/signal/hub"
	overhttp "noom/transport/http"
	transport "noom/transport/ws"
)

// profileVar names the file for the CPU profile of a server, or of members.
const profileVar = "NOOM_BENCH_PROFILE"

// beServer is one of the servers in Go until the driver closes its standard
// input.
func beServer(name, address string) error {
	// net.Listen's queue is net.core.somaxconn long.
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	var handler http.Handler
	switch name {
	case "noom":
		handler = transport.Handler(noomHub(), nil)
	case "noom-1", "noom-2", "noom-3":
		if handler, err = hubsHandler(name); err != nil {
			return err
		}
	case "noom-http":
		handler = overhttp.Handler(noomHub(), nil)
	case "coder":
		handler = http.HandlerFunc(coderRelay)
	case "gobwas":
		handler = http.HandlerFunc(gobwasRelay)
	case "pion", "pion-data":
		handler = &pionRelay{members: make(map[int]*websocket.Conn)}
	default:
		return fmt.Errorf("no server %q in Go", name)
	}
	collect := make(chan os.Signal, 1)
	signal.Notify(collect, syscall.SIGUSR2)
	go func() {
		for range collect {
			debug.FreeOSMemory()
		}
	}()
	stop, err := startProfile()
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler} //nolint:gosec // on loopback, only for the driver
	go func() { _ = server.Serve(listener) }()
	fmt.Println(listener.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // until the driver ends
	stop()
	return nil
}

// noomHub is a hub as it comes, but that the rate limit would hold up the load.
func noomHub() *hub.Hub { return hub.New(noomConfig()) }

func noomConfig() *hub.Config {
	return &hub.Config{
		Limits: protocol.Limits{Rate: 1 << 30},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

func startProfile() (stop func(), err error) {
	path := os.Getenv(profileVar)
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: profile:", err)
		}
	}, nil
}

// rooms are those of a bare relay: their members, and nothing else.
type rooms[C comparable] struct {
	mu  sync.RWMutex
	all map[string][]C
}

func (r *rooms[C]) enter(room string, c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[string][]C)
	}
	// A fresh slice, because others return an old one to its readers.
	r.all[room] = append(append([]C(nil), r.all[room]...), c)
}

func (r *rooms[C]) in(room string) []C {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.all[room]
}

// reads hold messages on their way through a bare relay.
var reads = sync.Pool{New: func() any {
	b := make([]byte, 0, 8192)
	return &b
}}

// The floor on coder/websocket: messages are read into pooled buffers on a fresh goroutine, and
// written to everyone else by their reader.
var coderRooms rooms[*websocket.Conn]

func coderRelay(w http.ResponseWriter, r *http.Request) {
	room := r.URL.Query().Get("room")
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	go func() {
		ctx := context.Background()
		coderRooms.enter(room, c)
		if c.Write(ctx, websocket.MessageText, []byte("joined")) != nil {
			return
		}
		for coderRelayOne(ctx, c, room) == nil { //nolint:revive // its work is its condition
		}
	}()
}

func coderRelayOne(ctx context.Context, c *websocket.Conn, room string) error {
	kind, r, err := c.Reader(ctx)
	if err != nil {
		return err
	}
	buffer := reads.Get().(*[]byte)
	defer reads.Put(buffer)
	b, err := readAll(r, (*buffer)[:0])
	*buffer = b
	if err != nil {
		return err
	}
	for _, other := range coderRooms.in(room) {
		if other != c {
			_ = other.Write(ctx, kind, b) // one that is gone gets nothing
		}
	}
	return nil
}

func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// The floor on gobwas/ws: frames are read through a small buffer and written, header and payload at
// once, by their reader.
type gobwasConn struct {
	net.Conn

	mu sync.Mutex // held while a frame is written
}

var gobwasRooms rooms[*gobwasConn]

func gobwasRelay(w http.ResponseWriter, r *http.Request) {
	room := r.URL.Query().Get("room")
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	go func() {
		c := &gobwasConn{Conn: conn}
		defer func() { _ = c.Close() }()
		gobwasRooms.enter(room, c)
		c.write([]byte("joined"))
		in := bufio.NewReaderSize(conn, 512)
		for gobwasRelayOne(c, in, room) == nil { //nolint:revive // its work is its condition
		}
	}()
}

func (c *gobwasConn) write(b []byte) {
	frame := reads.Get().(*[]byte)
	defer reads.Put(frame)
	out := (*frame)[:0]
	if len(b) < 126 {
		out = append(out, 0x81, byte(len(b)))
	} else {
		out = append(out, 0x81, 126, byte(len(b)>>8), byte(len(b)))
	}
	*frame = append(out, b...)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.Write(*frame) // one that is gone gets nothing
}

func gobwasRelayOne(c *gobwasConn, in io.Reader, room string) error {
	h, err := ws.ReadHeader(in)
	if err != nil {
		return err
	}
	if h.OpCode != ws.OpText || h.Length > 60_000 {
		return errors.New("not from the driver")
	}
	buffer := reads.Get().(*[]byte)
	defer reads.Put(buffer)
	if int(h.Length) > cap(*buffer) {
		*buffer = make([]byte, h.Length)
	}
	b := (*buffer)[:h.Length]
	if _, err := io.ReadFull(in, b); err != nil {
		return err
	}
	ws.Cipher(b, h.Mask, 0)
	for _, other := range gobwasRooms.in(room) {
		if other != c {
			other.write(b)
		}
	}
	return nil
}
