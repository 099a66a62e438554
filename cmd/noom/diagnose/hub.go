package diagnose

import (
	"context"
	"fmt"
	"time"

	"noom/internal/diagnose"
	"noom/internal/entrance"
	"noom/signal"
	noomhttp "noom/transport/http"
	"noom/transport/ws"
)

// reachHub dials the hub both ways, and returns the better one that works.
func (o *options) reachHub(ctx context.Context, r *report) (best signal.Dialer, ok bool) {
	webSocket, requests := ws.Dialer{URL: o.URL}, noomhttp.Dialer{URL: entrance.OverHTTP(o.URL)}
	took, errWS := o.dial(ctx, r, "WebSocket", webSocket)
	if errWS == nil {
		r.good("hub", "answers by WebSocket at %s, in %v", webSocket.URL, took)
	}
	took, errHTTP := o.dial(ctx, r, "HTTP", requests)
	if errHTTP == nil {
		r.good("hub", "answers by HTTP at %s, in %v", requests.URL, took)
	}
	switch {
	case errWS == nil && errHTTP == nil:
		return webSocket, true
	case errWS == nil:
		r.note("hub", "not by HTTP, so a member whose network lets no WebSocket through cannot come in: %v", errHTTP)
		return webSocket, true
	case errHTTP == nil:
		r.note("hub", "not by WebSocket; noom.js and auto.Dialer use HTTP instead, which takes longer: %v", errWS)
		return requests, true
	}
	r.bad("hub", "by WebSocket: %v", errWS)
	r.bad("hub", "by HTTP: %v", errHTTP)
	verdict := new(diagnose.Evidence).Judge()
	r.note("verdict", "%s: %s", verdict.Verdict, verdict.Words)
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

// A watchedDialer sees what the hub answers to a join. It is read once that is over.
type watchedDialer struct {
	signal.Dialer

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
		l.dialer.servers = m.ICEServers
	}
	return m, err
}

// errTime is what a step comes to that takes too long.
func errTime(wait time.Duration, about string) error {
	return fmt.Errorf("nothing answers within %v; %s", wait, about)
}
