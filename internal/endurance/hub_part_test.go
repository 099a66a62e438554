package endurance

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/nats"
	"noom/transport/ws"
)

// This file runs in the processes of hubs.

// hubNews is what a hub reports of itself, or of a room.
type hubNews struct {
	Hubs                   int // that it hears, itself included; 0: it is the only one
	Rooms                  []hub.RoomInfo
	Members                []string // ids, in order
	Owned                  int      // rooms that it owns
	Lost, Ignored, Dropped uint64
}

// playHub serves a hub until it is killed. Each line of standard input is the name of a room, of which it reports.
// When standard input ends, it goes down in order.
func playHub(ctx context.Context, p part) error {
	config, dropped := &hub.Config{}, func() uint64 { return 0 }
	if len(p.NATS) > 0 {
		bus, err := nats.Dial(nats.Options{URLs: p.NATS})
		if err != nil {
			return err
		}
		defer bus.Close()
		config.Cluster, dropped = &hub.Cluster{Backplane: bus}, bus.Dropped
	}
	h, err := hub.Open(config)
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.Listen)
	if err != nil {
		return err
	}
	reporter := newReporter()
	reporter.report(news{Event: "listening", Text: l.Addr().String()})
	server := &http.Server{Handler: ws.Handler(h, nil), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with the process
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		room := lines.Text()
		about := &hubNews{Rooms: h.Rooms(), Owned: h.Stats().Rooms, Dropped: dropped()}
		for _, m := range h.Members(room) {
			about.Members = append(about.Members, m.ID)
		}
		slices.Sort(about.Members)
		if c := h.Stats().Cluster; c != nil {
			about.Hubs, about.Lost, about.Ignored = c.Hubs, c.Lost, c.Ignored
		}
		reporter.report(news{Event: "report", Hub: about})
	}
	_ = l.Close() // nobody new
	return h.Shutdown(ctx)
}

// hubsInOrder are the URLs of hubs that are one. A member tries them in this order, and not in its room's, so that a test
// knows at which hub it is.
type hubsInOrder []string

// Dial dials the first hub that answers.
func (l hubsInOrder) Dial(ctx context.Context) (signal.Signaler, error) {
	return signal.DialHubs(ctx, l.Hubs(""))
}

// Hubs implements [signal.HubsDialer].
func (l hubsInOrder) Hubs(string) []signal.HubDialer {
	list := make([]signal.HubDialer, len(l))
	for i, url := range l {
		list[i] = signal.HubDialer{URL: url, Dialer: ws.Dialer{URL: url}}
	}
	return list
}
