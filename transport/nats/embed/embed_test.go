package embed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"noom/transport/nats"
)

const (
	goodSecret = "sixteen bytes at least"
	patience   = 30 * time.Second
)

func started(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// A log is what was logged.
type log struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes.Write(p)
}

func (l *log) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.bytes.String(), text)
}

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// TestNoPort: a server alone has no socket, and one with routes lets nobody in at the one that it cannot do without.
func TestNoPort(t *testing.T) {
	s := started(t, Options{})
	if a := s.server.Addr(); a != nil {
		t.Errorf("a server alone listens at %s", a)
	}
	if s.ClientURL() != "" || s.ClusterAddr() != nil {
		t.Errorf("it has the addresses %q and %v", s.ClientURL(), s.ClusterAddr())
	}
	routed := started(t, Options{ClusterListen: "127.0.0.1:0", Secret: goodSecret})
	if routed.ClientURL() != "" {
		t.Error("nobody has asked for an address of clients")
	}
	for _, who := range []string{"", "noom:" + url.PathEscape(goodSecret) + "@", "noom:" + routed.options.Cluster.Password + "@", "noom:@"} {
		b, err := nats.Dial(nats.Options{URLs: []string{"nats://" + who + routed.server.Addr().String()}})
		if err == nil {
			b.Close()
		}
		if !errors.Is(err, nats.ErrRefused) {
			t.Errorf("%q: %v", who, err)
		}
	}
	if !routed.server.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Errorf("it listens at %s", routed.server.Addr())
	}
}

// TestSecret: a server that does not know the secret gets no route, nor does one that says nothing.
func TestSecret(t *testing.T) {
	var said log
	s := started(t, Options{ClusterListen: "127.0.0.1:0", Secret: goodSecret, Logger: said.logger()})
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(goodSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stranger := started(t, Options{ClusterListen: "127.0.0.1:0", Cluster: []string{s.ClusterAddr().String()}, Secret: goodSecret + "?"})
	until(t, "the stranger is refused", func() bool { return said.has("uthorization") || said.has("uthentication") })
	friend := started(t, Options{ClusterListen: "127.0.0.1:0", Cluster: []string{s.ClusterAddr().String()}, SecretFile: file})
	until(t, "the friend has a route", func() bool { return friend.Routes() == 1 && s.Routes() == 1 })
	if stranger.Routes() != 0 {
		t.Errorf("the stranger has %d routes", stranger.Routes())
	}
	if said.has(goodSecret) || said.has(s.options.Cluster.Password) {
		t.Error("the secret is in the log")
	}
}

// TestForeignBytes: what is no server, at the port of routes, is cut off and harms nobody.
func TestForeignBytes(t *testing.T) {
	s := started(t, Options{ClusterListen: "127.0.0.1:0", Secret: goodSecret})
	const nameless = `CONNECT {"name":"X","cluster":"noom"}` + "\r\n" + `INFO {"server_id":"X","server_name":"X","cluster":"noom","proto":1}` + "\r\nPING\r\n"
	for _, text := range []string{nameless, "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x00\xff", "RS+ $G a\r\nRMSG $G a 1\r\nx\r\n", "CONNECT {}\r\nPING\r\n"} {
		conn, err := net.Dial("tcp", s.ClusterAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err = io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q is not cut off", text)
		}
		if bytes.Contains(said, []byte("PONG")) {
			t.Errorf("%q is answered", text)
		}
		_ = conn.Close()
	}
	if s.Routes() != 0 {
		t.Errorf("there are %d routes", s.Routes())
	}
	other := started(t, Options{ClusterListen: "127.0.0.1:0", Cluster: []string{s.ClusterAddr().String()}, Secret: goodSecret})
	until(t, "a server has a route", func() bool { return other.Routes() == 1 })
}

// TestStart: what is wrong is an error that Start returns, and not the end of the process.
func TestStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, c := range map[string]struct {
		o     Options
		wrong bool // the options
	}{
		"routes without a secret":    {Options{ClusterListen: "127.0.0.1:0"}, true},
		"a short secret":             {Options{ClusterListen: "127.0.0.1:0", Secret: " 15 characters. "}, true},
		"no file":                    {Options{ClusterListen: "127.0.0.1:0", SecretFile: "/nowhere"}, true},
		"two secrets":                {Options{ClusterListen: "127.0.0.1:0", Secret: goodSecret, SecretFile: "/nowhere"}, true},
		"others without an address":  {Options{Cluster: []string{"127.0.0.1:1"}}, true},
		"others without a port":      {Options{ClusterListen: "127.0.0.1:0", Cluster: []string{"host"}, Secret: goodSecret}, true},
		"a bad port":                 {Options{ClusterListen: "127.0.0.1:70000", Secret: goodSecret}, true},
		"a bad port of clients":      {Options{Listen: "127.0.0.1:x"}, true},
		"a certificate without a CA": {Options{ClusterListen: "127.0.0.1:0", Secret: goodSecret, Cert: "c", Key: "k"}, true},
		"a taken address":            {Options{ClusterListen: taken.Addr().String(), Secret: goodSecret}, false},
		"a taken address of clients": {Options{Listen: taken.Addr().String()}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Start(c.o)
			if err == nil {
				s.Close()
				t.Fatal("it starts")
			}
			if errors.Is(err, ErrOptions) != c.wrong {
				t.Error(err)
			}
		})
	}
}

// TestMesh: a server that was named to one of the others has a route to each.
func TestMesh(t *testing.T) {
	first := started(t, Options{ClusterListen: "127.0.0.1:0", Secret: goodSecret})
	named := []string{first.ClusterAddr().String()}
	servers := []*Server{first}
	for range 2 {
		servers = append(servers, started(t, Options{ClusterListen: "127.0.0.1:0", Cluster: named, Secret: goodSecret}))
	}
	for i, s := range servers {
		until(t, fmt.Sprintf("server %d has two routes", i), func() bool { return s.Routes() == 2 })
	}
}
