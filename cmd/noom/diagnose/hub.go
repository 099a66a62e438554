package diagnose

import (
	"context"
	"fmt"
	"slices"
	"time"

	"noom/internal/diagnose"
	"noom/internal/entrance"
	"noom/signal"
	noomhttp "noom/transport/http"
	"noom/transport/ws"
)

// reachHubs dials each hub, and returns those that answer, in the order in which members of the room try them.
func (o *options) reachHubs(ctx context.Context, r *report) (hubs watchedHubs) {
	urls := signal.OrderHubs(o.Room, entrance.URLs(o.URL, o.URLs))
	for i, u := range urls {
		label, where := "hub", ""
		if len(urls) > 1 {
			label = fmt.Sprintf("hub %d", i+1)
			where = " at " + label
		}
		if d, ok := o.reachHub(ctx, r, label, u); ok {
			hubs = append(hubs, &watchedDialer{Dialer: d, url: entrance.Redacted(u), where: where})
		}
	}
	if hubs == nil {
		verdict := new(diagnose.Evidence).Judge()
		r.note("verdict", "%s: %s", verdict.Verdict, verdict.Words)
	}
	return hubs
}

// reachHub dials a hub both ways, and returns the better one that works.
func (o *options) reachHub(ctx context.Context, r *report, label, hub string) (best signal.Dialer, ok bool) {
	webSocket, requests := ws.Dialer{URL: hub}, noomhttp.Dialer{URL: entrance.OverHTTP(hub)}
	took, errWS := o.dial(ctx, r, "WebSocket", webSocket)
	if errWS == nil {
		r.good(label, "answers by WebSocket at %s, in %v", entrance.Redacted(webSocket.URL), took)
	}
	took, errHTTP := o.dial(ctx, r, "HTTP", requests)
	if errHTTP == nil {
		r.good(label, "answers by HTTP at %s, in %v", entrance.Redacted(requests.URL), took)
	}
	switch {
	case errWS == nil && errHTTP == nil:
		return webSocket, true
	case errWS == nil:
		r.note(label, "not by HTTP, so a member whose network lets no WebSocket through cannot come in: %v", errHTTP)
		return webSocket, true
	case errHTTP == nil:
		r.note(label, "not by WebSocket; noom.js and auto.Dialer use HTTP instead, which takes longer: %v", errWS)
		return requests, true
	}
	r.bad(label, "by WebSocket: %v", errWS)
	r.bad(label, "by HTTP: %v", errHTTP)
	return nil, false
}

// dial opens a connection and closes it again.
func (o *options) dial(ctx context.Context, r *report, by string, d signal.Dialer) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	defer r.waiting("the hub by " + by)()
	began := time.Now()
	line, err := d.Dial(ctx)
	if err != nil {
		return 0, err
	}
	_ = line.Close() // nothing was said over it
	return time.Since(began).Round(time.Millisecond), nil
}

// waiting says what is waited for, while that takes long, until done is called.
func (r *report) waiting(what string) (done func()) {
	began, stop, stopped := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				r.progress.Show("waiting for %s: %v", what, time.Since(began).Round(time.Second))
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// watchedHubs are those that answer. It implements [signal.HubsDialer].
type watchedHubs []*watchedDialer

// Dial implements [signal.Dialer].
func (h watchedHubs) Dial(ctx context.Context) (signal.Signaler, error) {
	return signal.DialHubs(ctx, h.Hubs(""))
}

// Hubs implements [signal.HubsDialer]. They are in the room's order already.
func (h watchedHubs) Hubs(string) []signal.HubDialer {
	list := make([]signal.HubDialer, len(h))
	for i, d := range h {
		list[i] = signal.HubDialer{URL: d.url, Dialer: d}
	}
	return list
}

// joined returns the one that has let us in.
func (h watchedHubs) joined() *watchedDialer {
	return h[slices.IndexFunc(h, func(d *watchedDialer) bool { return d.joined })]
}

// A watchedDialer sees what the hub answers to a join. It is read once that is over.
type watchedDialer struct {
	signal.Dialer

	url, where string // as the report has them; where is empty if there is one hub

	joined     bool
	challenged bool // the hub asked for a proof, as it does of all whom it authorises
	servers    []signal.ICEServer
}

// Dial implements [signal.Dialer].
func (d *watchedDialer) Dial(ctx context.Context) (signal.Signaler, error) {
	s, err := d.Dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &watchedLine{Signaler: s, dialer: d}, nil
}

// A watchedLine is a connection of a watchedDialer.
type watchedLine struct {
	signal.Signaler

	dialer *watchedDialer
	joined bool // of the goroutine that receives
}

// Unwrap returns the connection itself.
func (l *watchedLine) Unwrap() signal.Signaler { return l.Signaler }

// Receive implements [signal.Signaler].
func (l *watchedLine) Receive(ctx context.Context) (signal.Message, error) {
	m, err := l.Signaler.Receive(ctx)
	switch {
	case err != nil || l.joined:
	case m.Type == signal.TypeChallenge:
		l.dialer.challenged = true
	case m.Type == signal.TypeJoined:
		l.joined = true
		l.dialer.joined, l.dialer.servers = true, m.ICEServers
	}
	return m, err
}

// errTime is what a step comes to that takes too long.
func errTime(wait time.Duration, about string) error {
	return fmt.Errorf("nothing answers within %v; %s", wait, about)
}
