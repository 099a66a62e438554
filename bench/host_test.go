package main

import (
	"context"
	"os"
	"strings"
	"testing"
)

// A host's programs see its address, and not that of another.
func TestHostAddress(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	w, err := newNetwork(2)
	if err != nil {
		t.Skip("no network namespaces here:", err)
	}
	defer w.close()
	for _, h := range w.hosts {
		p, err := h.start(context.Background(), "sh", "-c", "ip -o -4 addr show tun0; exec cat")
		if err != nil {
			t.Fatal(err)
		}
		line, err := p.line()
		if err != nil || !strings.Contains(line, h.addr.String()+"/") {
			t.Errorf("a program at %v sees %q, %v", h.addr, line, err)
		}
		p.stop()
	}
}
