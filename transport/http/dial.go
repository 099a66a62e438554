package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"noom/internal/entrance"
	"noom/signal"
	"noom/transport/ws"
)

// Dialer dials a hub over HTTP. It implements [signal.Dialer].
type Dialer struct {
	// URL is the hub's: https://host:port/path, or http without TLS; wss and ws mean the same. It
	// must not redirect.
	URL string
	// HTTPClient makes the requests. Nil: http.DefaultClient, which uses the environment's proxies. Its
	// Timeout bounds Dial alone: requests for frames last as long as the connection.
	HTTPClient *http.Client
	// Header goes with each request, cookies for instance.
	Header http.Header
}

// ErrNotHub is inside Dial's error when something answered that is no hub.
var ErrNotHub = ws.ErrNotHub

// Dial opens a connection; ctx bounds that alone. Its errors say what to look at, and wrap what went
// wrong: [ErrNotHub], what net and crypto/tls said, or a [*signal.Error] of a server that has too many
// connections.
func (d Dialer) Dial(ctx context.Context) (signal.Signaler, error) {
	u, err := entrance.ParseURL(d.URL, "http")
	if err != nil {
		return nil, fmt.Errorf("http: dial %s: %w", entrance.Redacted(d.URL), err)
	}
	u.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	l, err := d.dial(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("http: dial %s: %w", entrance.Shown(u), err)
	}
	return l, nil
}

func (d Dialer) dial(ctx context.Context, u *url.URL) (*link, error) {
	l := &link{client: entrance.WithoutRedirects(d.HTTPClient), url: u.String(), header: d.Header.Clone()}
	if l.header == nil {
		l.header = make(http.Header)
	}
	began := time.Now()
	request, err := l.request(ctx, http.MethodPost, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set(protocolHeader, ws.Subprotocol)
	response, err := l.client.Do(request) //nolint:bodyclose // drain closes it
	if err != nil {
		return nil, entrance.ExplainDial(ctx, err, "http")
	}
	defer drain(response.Body)
	if response.StatusCode != http.StatusOK {
		return nil, explainOpening(response)
	}
	var o opened
	if err := json.NewDecoder(io.LimitReader(response.Body, mostAnswer)).Decode(&o); err != nil || o.Session == "" {
		return nil, fmt.Errorf("%w: HTTP %s, but what comes is no session", ErrNotHub, signal.Printable(response.Status))
	}
	l.header.Set(sessionHeader, o.Session)
	l.client.Timeout = 0 // of our copy; each request has a bound of its own
	l.start(signal.NormalHost(u.Host), time.Since(began))
	return l, nil
}

// mostAnswer bounds what is read of an answer.
const mostAnswer = 4 << 10

// drain reads what is left of a body, so that its connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, io.LimitReader(body, mostAnswer))
	_ = body.Close() // it is read, or of no use
}

// explainOpening says why there is no session.
func explainOpening(response *http.Response) error {
	code := signal.CodeHubFull
	switch response.StatusCode {
	case http.StatusTooManyRequests:
		code = signal.CodeTooMany
	case http.StatusServiceUnavailable:
	default:
		return entrance.ExplainResponse(response, "/http")
	}
	after, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil { // then it is not the hub that says so
		return entrance.ExplainResponse(response, "/http")
	}
	e := signal.Errorf(code, "", "HTTP %s: %s", signal.Printable(response.Status), entrance.FirstLine(response.Body))
	e.RetryAfter = min(time.Duration(max(after, 0))*time.Second, signal.MaxRetry*time.Millisecond)
	return e
}

// errLost is inside the errors of a connection that was given up, because no request has succeeded
// for a while.
var errLost = errors.New("no request reaches the hub any longer")
