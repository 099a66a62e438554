package serve

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noom"
	"noom/transport/nats/embed"
	"noom/transport/ws"
)

// Members of a room may be at two servers that have the same NATS.
func TestClusterOfServers(t *testing.T) {
	server, err := embed.Start(embed.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	first := joinAt(t, serveHere(t, "-nats", server.ClientURL()), "지우")
	second := joinAt(t, serveHere(t, "-nats", server.ClientURL(), "-nats-optional"), "bob")
	for _, r := range []noom.Room{first, second} {
		for len(r.Peers()) == 0 {
			if _, err := r.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A server that brings its own NATS serves also where no other is there yet.
func TestClusterEmbedded(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("sixteen bytes at least\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	joinAt(t, serveHere(t, "-nats", "embed", "-cluster-listen", "127.0.0.1:0", "-cluster", "127.0.0.1:1", "-cluster-secret", secret), "지우")
}

func joinAt(t *testing.T, url, name string) noom.Room {
	t.Helper()
	r, err := noom.Join(t.Context(), ws.Dialer{URL: "ws" + strings.TrimPrefix(strings.TrimSuffix(url, "/"), "http") + "/ws"}, "데모", &noom.Config{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Leave(context.Background()) })
	return r
}
