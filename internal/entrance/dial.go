package entrance

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"noom/signal"
)

// ErrNotHub is inside a dial's error when something answered that is no hub.
var ErrNotHub = errors.New("no noom hub answers there")

// ParseURL checks a hub's URL and makes it one that can be dialled: its name in ASCII. scheme, "ws"
// or "http", is what its errors recommend. The zone of an IPv6 address stays, which says by which
// of our own interfaces it is reached; a request's Host is without.
func ParseURL(text, scheme string) (*url.URL, error) {
	want := scheme + "://host:port/path"
	u, err := url.Parse(text)
	switch {
	case err != nil && strings.Contains(text, "@"): // what is wrong may be in the password, and quoted
		return nil, fmt.Errorf("bad URL: it cannot be read; in a name and a password most signs have to be escaped, as / is by %%2F; want %s", want)
	case err != nil:
		return nil, fmt.Errorf("bad URL: %w; want %s", WithoutURL(err), want) // the rest repeats the URL
	}
	switch u.Scheme {
	case "ws", "http", "wss", "https":
	default:
		return nil, fmt.Errorf("bad URL: its scheme must be %s or %ss, as in %s, not %q", scheme, scheme, want, u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, errors.New("bad URL: it names no host; want " + want)
	}
	if name, port := u.Hostname(), u.Port(); !strings.Contains(name, ":") { // else it is an IPv6 address
		u.Host = signal.NormalHost(name)
		if port != "" {
			u.Host += ":" + port
		}
	}
	u.Fragment = ""
	return u, nil
}

// URLs returns the URLs of several hubs, of which one may stand apart.
func URLs(one string, more []string) []string {
	if one == "" || slices.Contains(more, one) {
		return more
	}
	return append([]string{one}, more...)
}

// Redacted returns a URL as errors and logs may name it, which is what [Shown] says of it, or words for one with an @ where
// none can be understood: a password may be on any side of it.
func Redacted(text string) string {
	u, err := url.Parse(text)
	switch {
	case (err != nil || u.User == nil) && strings.Contains(text, "@"):
		return "a URL with an @ out of place"
	case err != nil:
		end := strings.IndexAny(text+"?", "?#")
		return signal.Printable(text[:end])
	}
	return Shown(u)
}

// Shown returns a URL without a user and a password, a query and a fragment: there may be secrets in each.
func Shown(u *url.URL) string {
	shown := *u
	shown.User, shown.RawQuery, shown.ForceQuery, shown.Fragment, shown.RawFragment = nil, "", false, "", ""
	return shown.String()
}

// OverHTTP returns where a hub speaks HTTP that speaks WebSocket at a URL: there is "http" as the last part of the path.
// What is wrong with the URL is left for a dial to say.
func OverHTTP(webSocket string) string {
	u, err := url.Parse(webSocket)
	if err != nil {
		return webSocket
	}
	u.Path = u.Path[:strings.LastIndexByte(u.Path, '/')+1] + "http"
	u.RawPath, u.Fragment = "", ""
	return u.String()
}

// WithoutRedirects copies a client so that it does not follow redirects, as a
// browser's WebSocket does not: proofs are bound to the host that was dialled.
func WithoutRedirects(client *http.Client) *http.Client {
	var c http.Client
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// ExplainDial says in one line why nothing answered a dial and what to look at. scheme is as for
// [ParseURL].
func ExplainDial(ctx context.Context, err error, scheme string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	err = WithoutURL(err)
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("no such host %q; check the name: %w", dns.Name, err)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing listens there; is the hub running? %w", err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		return fmt.Errorf("it does not speak TLS; try %s:// instead of %ss://: %w", scheme, scheme, err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("its certificate is not trusted: %w", err)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("its certificate is not trusted: %w", err)
	}
	return err
}

// ExplainResponse says in one line why an answer is not that of a hub which lets us in. It reads
// the beginning of the body. usual is the path that hubs usually have for such a request; empty: it was one already.
func ExplainResponse(response *http.Response, usual string) error {
	switch code := response.StatusCode; {
	case code >= 300 && code < 400:
		return fmt.Errorf("%w: it redirects to %q; dial that", ErrNotHub, Redacted(response.Header.Get("Location")))
	case code == http.StatusMisdirectedRequest:
		return fmt.Errorf("it does not go by that name (HTTP 421): %s", FirstLine(response.Body))
	case code == http.StatusForbidden:
		return fmt.Errorf("it forbids the connection (HTTP 403): %s", FirstLine(response.Body))
	default:
		err := fmt.Errorf("%w: HTTP %s: %s", ErrNotHub, signal.Printable(response.Status), FirstLine(response.Body))
		if r := response.Request; usual != "" && r != nil && (r.URL.Path == "" || r.URL.Path == "/") {
			err = fmt.Errorf("%w; hubs are usually at %s of a server, and the URL has no path", err, usual)
		}
		return err
	}
}

// FirstLine returns what a person may want to read of an error page: at most 200 bytes that a terminal can show.
func FirstLine(body io.Reader) string {
	lines := bufio.NewScanner(io.LimitReader(body, 200))
	lines.Scan()
	return signal.Printable(strings.TrimSpace(strings.ToValidUTF8(lines.Text(), "")))
}

// WithoutURL takes the URL out of an error, since there may be a password in it.
func WithoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
