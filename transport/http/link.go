package http

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"noom/internal/entrance"
	"noom/signal"
)

// patienceLost is for how long requests may fail before the connection is lost.
const patienceLost = 10 * time.Second

// postTimeout is for a batch and its answer, which comes once the hub has made room for it.
const postTimeout = holdTimeout + 4*time.Second

// A link is a member's end of a connection as a [signal.Signaler]. One goroutine carries frames up,
// another brings them down.
type link struct {
	end

	client *http.Client
	url    string
	header http.Header // of each request

	ctx    context.Context // of each request
	cancel context.CancelFunc
	opened time.Time
	parted chan struct{} // closed when the goroutine that carries frames up has ended
	watch  *time.Timer   // looks at the mode

	// Under end.mu.
	mode   mode
	giveUp context.CancelFunc // ends the request that brings frames down; nil: there is none
	bad    time.Duration      // since when requests have failed; 0: the last has not
	told   int64              // up to which number of what came down the hub knows that it has come
	unsaid int                // bytes behind that
}

// The hub is told that so many bytes have come, or so many events, if nothing else is said. It keeps no
// more than four times as many (mostKept, mostFrames). An event counts as at least as many bytes as make
// the two the same.
const (
	ackBytes    = 64 << 10
	ackEvents   = 256
	leastWeight = ackBytes / ackEvents
)

func (l *link) start(endpoint string, opening time.Duration) {
	l.init(endpoint)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.parted = make(chan struct{})
	l.opened = time.Now()
	l.mode = newMode(opening)
	l.watch = time.AfterFunc(time.Hour, l.look)
	go l.carryUp()
	go l.bringDown()
}

// now is how long the connection has lasted.
func (l *link) now() time.Duration { return time.Since(l.opened) }

// request makes a request.
func (l *link) request(ctx context.Context, method string, body []byte) (*http.Request, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, l.url, reader)
	if err != nil {
		return nil, err
	}
	request.Header = l.header.Clone()
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	return request, nil
}

// fail ends the connection.
func (l *link) fail(why error) {
	l.mu.Lock()
	l.finish(why)
	l.mu.Unlock()
	l.cancel()
}

// succeeded notes that a request has.
func (l *link) succeeded() {
	l.mu.Lock()
	l.bad = 0
	l.mu.Unlock()
}

// failed notes that a request has not, and ends the connection if there is no use in another one.
func (l *link) failed(err error) {
	l.mu.Lock()
	if l.bad == 0 { // the last success may be long ago: of a stream that was quiet
		l.bad = l.now()
	}
	lost := l.now()-l.bad >= patienceLost
	l.mu.Unlock()
	fatal, is := errors.AsType[*statusError](err)
	switch {
	case l.ctx.Err() != nil:
	case is && fatal.final:
		l.fail(err)
	case lost:
		l.fail(fmt.Errorf("%w, for %v: %w", errLost, patienceLost, err))
	}
}

// A statusError is an answer that is not the one that was wanted.
type statusError struct {
	error

	final bool
}

func (e *statusError) Unwrap() error { return e.error }

// checkStatus says what is wrong with the answer to a request of a session.
func checkStatus(response *http.Response) error {
	switch code := response.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusGone:
		return &statusError{errors.New("the hub does not know this connection any longer"), true}
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return &statusError{entrance.ExplainResponse(response, ""), false} // a proxy's, perhaps
	default:
		return &statusError{entrance.ExplainResponse(response, ""), true}
	}
}

// pause waits, unless the connection ends.
func (l *link) pause(wait time.Duration) {
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

// carryUp carries frames up until the last is there or the connection ends.
func (l *link) carryUp() {
	defer close(l.parted)
	failures := 0
	for {
		text, all := l.batch()
		if text == nil {
			select {
			case <-l.outbound:
			case <-l.ctx.Done():
				return
			}
			continue
		}
		err := l.post(text)
		if err == nil {
			failures = 0
			if all {
				return
			}
			continue
		}
		if l.failed(err); l.ctx.Err() != nil {
			return
		}
		failures = min(failures+1, 10)
		l.pause(pauseAfter(failures))
	}
}

// batch is the next batch, nil if there is nothing to say. all reports that nothing comes behind it.
func (l *link) batch() (text []byte, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := batch{got: l.mode.got}
	b.first, b.frames, b.end = l.out.after(l.out.before, writeBytes)
	unsaid := l.unsaid >= ackBytes || l.left && l.told < b.got
	if len(b.frames) == 0 && b.end == nil && !unsaid {
		return nil, false
	}
	l.told, l.unsaid = b.got, 0
	return b.append(nil), b.end != nil || l.left
}

// post posts a batch.
func (l *link) post(text []byte) error {
	ctx, cancel := context.WithTimeout(l.ctx, postTimeout)
	defer cancel()
	request, err := l.request(ctx, http.MethodPost, text)
	if err != nil {
		return err
	}
	request.Header["X-Idempotency-Key"] = nil // net/http may repeat it, and says nothing of that
	response, err := l.client.Do(request)     //nolint:bodyclose // drain closes it
	if err != nil {
		return entrance.WithoutURL(err)
	}
	defer drain(response.Body)
	if err = checkStatus(response); err != nil {
		return err
	}
	var r receipt
	if err = json.NewDecoder(io.LimitReader(response.Body, mostAnswer)).Decode(&r); err != nil {
		return fmt.Errorf("the answer to a batch: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bad = 0
	l.mode.has(l.now(), r.Sent)
	l.rearm()
	if !l.acknowledge(r.Taken) {
		return &statusError{errors.New("the hub has received what was never sent"), true}
	}
	return nil
}

// Close implements [signal.Signaler]. After a Receive that got something that is not a frame it
// reports that as CloseWith would.
func (l *link) Close() error {
	l.mu.Lock()
	why := l.broken
	l.mu.Unlock()
	return l.CloseWith(why)
}

// CloseWith closes with why's code as the reason. It waits at most 2 s for what was sent to be there.
func (l *link) CloseWith(why *signal.Error) error {
	if !l.shutDown(why) {
		<-l.ctx.Done()
		return nil
	}
	hurry := time.NewTimer(closeTimeout)
	defer hurry.Stop()
	select {
	case <-l.parted:
	case <-l.over:
	case <-hurry.C:
	}
	l.Abort()
	return nil
}

// Abort implements [signal.Aborter].
func (l *link) Abort() {
	l.fail(net.ErrClosed)
	l.watch.Stop()
}
