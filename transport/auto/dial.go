package auto

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"noom/internal/entrance"
	"noom/signal"
	noomhttp "noom/transport/http"
	"noom/transport/ws"
)

// Dialer dials a hub over WebSocket or HTTP. It implements [signal.Dialer]. It remembers what works,
// so use one for all connections to a hub. It must not be copied.
type Dialer struct {
	// URL is where the hub speaks WebSocket, as in [ws.Dialer].
	URL string
	// URLs are hubs that serve the same rooms, as in [ws.Dialer]. What works is remembered for each.
	URLs []string
	// HTTPURL is where the hub of URL speaks HTTP, as in [noomhttp.Dialer]. Empty: URL, with "http" as the
	// last part of its path, as it is with each of URLs.
	HTTPURL string
	// HTTPClient and Header are as in both.
	HTTPClient *http.Client
	Header     http.Header

	mu     sync.Mutex
	hubs   map[string]*Dialer // of URLs, by URL
	choice choice
	since  time.Time // what the choice counts from; zero: not yet
}

// Dial opens a connection; ctx bounds that alone. Where WebSocket does not come through within 2 s it
// dials HTTP too, and the next time at once. If both fail, the error wraps those of both. Where a
// WebSocket opens and carries nothing, a join fails when its time is over, and the next is over HTTP.
//
// A connection over HTTP ends when WebSocket is found to work again, which is tried after a minute,
// then after two, up to 16: a Room then comes back over WebSocket by itself, as after any loss.
func (d *Dialer) Dial(ctx context.Context) (signal.Signaler, error) {
	if len(d.URLs) > 0 {
		return signal.DialHubs(ctx, d.each(entrance.URLs(d.URL, d.URLs)))
	}
	return d.dial(ctx, d.webSocket().Dial)
}

// DialJoin is Dial, and implements [signal.JoinDialer]: the join goes with the request that opens a WebSocket.
func (d *Dialer) DialJoin(ctx context.Context, join signal.Message) (signal.Signaler, error) {
	if len(d.URLs) > 0 { // it was not asked for its hubs
		return d.Dial(ctx)
	}
	return d.dial(ctx, func(ctx context.Context) (signal.Signaler, error) { return d.webSocket().DialJoin(ctx, join) })
}

// Hubs implements [signal.HubsDialer].
func (d *Dialer) Hubs(room string) []signal.HubDialer {
	if len(d.URLs) == 0 {
		return nil
	}
	return d.each(signal.OrderHubs(room, entrance.URLs(d.URL, d.URLs)))
}

// each returns the dialer of each hub, which is the same each time.
func (d *Dialer) each(urls []string) []signal.HubDialer {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]signal.HubDialer, len(urls))
	for i, u := range urls {
		one := d.hubs[u]
		if one == nil {
			one = &Dialer{URL: u, HTTPClient: d.HTTPClient, Header: d.Header}
			if u == d.URL {
				one.HTTPURL = d.HTTPURL
			}
			if d.hubs == nil {
				d.hubs = make(map[string]*Dialer)
			}
			d.hubs[u] = one
		}
		list[i] = signal.HubDialer{URL: entrance.Redacted(u), Dialer: one}
	}
	return list
}

func (d *Dialer) dial(ctx context.Context, webSocket signal.DialerFunc) (signal.Signaler, error) {
	dials := []dial{{webSocket, true}, {d.http(), false}}
	if !d.webSocketFirst() {
		dials[0], dials[1] = dials[1], dials[0]
	}
	won, err := race(ctx, dials[0], dials[1])
	if err != nil {
		return nil, fmt.Errorf("auto: %w", err)
	}
	return d.learn(won), nil
}

func (d *Dialer) webSocket() ws.Dialer {
	return ws.Dialer{URL: d.URL, HTTPClient: d.HTTPClient, Header: d.Header}
}

// http is the dialer of HTTP.
func (d *Dialer) http() noomhttp.Dialer {
	over := noomhttp.Dialer{URL: d.HTTPURL, HTTPClient: d.HTTPClient, Header: d.Header}
	if over.URL != "" {
		return over
	}
	over.URL = entrance.OverHTTP(d.URL)
	return over
}

func (d *Dialer) webSocketFirst() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.choice.webSocketFirst(d.now())
}

// now is the choice's time; the caller holds d.mu.
func (d *Dialer) now() time.Duration {
	if d.since.IsZero() {
		d.since = time.Now()
	}
	return time.Since(d.since)
}

// A dial is one way to dial.
type dial struct {
	signal.Dialer

	webSocket bool
}

// A result is what a dial comes to.
type result struct {
	link      signal.Signaler
	err       error
	webSocket bool
}

// race dials by the first way and, if that fails or has its head start behind it, by the second, and
// returns what is there first. A connection that comes too late is closed.
func race(ctx context.Context, first, second dial) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the dial that is not needed
	results := make(chan result, 2)
	begin := func(d dial) {
		link, err := d.Dial(ctx)
		results <- result{link, err, d.webSocket}
	}
	go begin(first)
	due := time.NewTimer(headStart)
	defer due.Stop()
	var failures []error
	for running, both := 1, false; ; {
		select {
		case r := <-results:
			running--
			if r.err == nil {
				go closeLate(results, running)
				return r, nil
			}
			failures = append(failures, r.err)
		case <-due.C:
		}
		if !both && ctx.Err() == nil {
			both = true
			running++
			go begin(second)
		}
		if running == 0 {
			return result{}, oneLine(failures)
		}
	}
}

// closeLate closes the connections of dials that are not needed.
func closeLate(results <-chan result, running int) {
	for range running {
		if r := <-results; r.err == nil {
			_ = r.link.Close() // nothing was said over it
		}
	}
}

// oneLine joins errors in one line.
func oneLine(failures []error) error {
	if len(failures) == 1 {
		return failures[0]
	}
	return fmt.Errorf("%w; and %w", failures[0], failures[1])
}

// learn learns from a dial that has succeeded, and returns its connection, to learn from that.
func (d *Dialer) learn(won result) signal.Signaler {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := &link{Signaler: won.link, dialer: d, began: d.now()}
	switch {
	case won.webSocket:
		d.choice.worked()
	case d.choice.webSocketFirst(d.now()):
		d.choice.failed(d.now())
		fallthrough
	default:
		l.ctx, l.endTrial = context.WithCancel(context.Background())
		l.trial = time.AfterFunc(d.choice.trialAt()-d.now(), l.tryWebSocket)
	}
	return l
}

// errBack ends a connection over HTTP.
var errBack = errors.New("auto: WebSocket works again: dial once more")
