package main

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
)

// A program at one host sees its address, and what is sent from another comes from there.
func TestHostsReachEachOther(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	w, err := newNetwork(2)
	if err != nil {
		t.Skip("no network namespaces here:", err)
	}
	defer w.close()
	here, there := w.hosts[0], w.hosts[1]
	p, err := here.start(t.Context(), "sh", "-c", "ip -o -4 addr show tun0; exec cat")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	if line, failed := p.line(); failed != nil || !strings.Contains(line, here.addr.String()+"/") {
		t.Errorf("a program at %v sees %q, %v", here.addr, line, failed)
	}
	receiver, sender := listen(t, here), listen(t, there)
	if _, err = sender.WriteTo([]byte("hello"), receiver.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	n, from, err := receiver.ReadFrom(b)
	if err != nil || string(b[:n]) != "hello" || from.String() != sender.LocalAddr().String() {
		t.Errorf("%q came from %v, %v; want it from %v", b[:n], from, err, sender.LocalAddr())
	}
}

// listen opens a socket at h.
func listen(t *testing.T, h *host) (c net.PacketConn) {
	t.Helper()
	done := make(chan error)
	h.do <- func() {
		var err error
		c, err = (&net.ListenConfig{}).ListenPacket(context.Background(), "udp4", h.addr.String()+":0")
		done <- err
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
