package hub_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// A stranger that comes and is refused, again and again, does not fill the log.
func TestRefusalsInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		d := mem.Dialer(hub.New(&hub.Config{Logger: log}))
		refused := func(n int) {
			for range n {
				m := dial(t, d, "낯선 이")
				m.send(signal.Message{Type: signal.TypePing}) // before a join
				m.expect(signal.TypeError)
				_ = m.link.Close() // never fails
				synctest.Wait()
			}
		}
		refused(300)
		if n := strings.Count(out.String(), "\n"); n == 0 || n > 30 {
			t.Errorf("%d lines of 300 refusals at once", n)
		}
		out.Reset()
		time.Sleep(time.Minute)
		refused(1)
		if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "left_out=2") {
			t.Errorf("later: %q, want a line that says how many were left out", got)
		}
	})
}

// Nor does one that exceeds what an address may have.
func TestWarningsInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		h := hub.New(&hub.Config{Logger: log, MaxPerAddress: 1})
		for i := range 100 {
			client, server := mem.Pipe()
			go func() { _ = h.Serve(t.Context(), from{Signaler: server, address: netip.MustParseAddr("fe80::7%eth0")}) }()
			synctest.Wait()
			if i == 0 {
				continue
			}
			m, err := client.Receive(t.Context())
			if err != nil || !errors.Is(m.Err(), &signal.Error{Code: signal.CodeTooMany}) {
				t.Fatalf("connection %d: %+v, %v", i, m, err)
			}
			_ = client.Close()
			synctest.Wait()
		}
		if n := strings.Count(out.String(), "level=WARN"); n == 0 || n > 20 {
			t.Errorf("%d warnings of 99 connections too many", n)
		}
	})
}
