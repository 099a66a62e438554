package signal

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"noom/internal/rendezvous"
)

// A HubsDialer is a Dialer that knows several hubs that serve the same rooms. A Room then tries the hubs that Hubs returns,
// in that order, and leaves one that has failed for last for half a minute, instead of calling Dial.
type HubsDialer interface {
	Dialer
	// Hubs returns the hubs in the order in which a member of that room tries them. It is called once for each Room. If it
	// returns none, Dial is called.
	Hubs(room string) []HubDialer
}

// A HubDialer dials one of several hubs. The Dialer in it may be a [JoinDialer].
type HubDialer struct {
	URL    string // as errors name it, without a password
	Dialer Dialer
}

// HubsError says of each of several hubs why it could not be used.
type HubsError struct {
	Failures []HubFailure // in the order in which the hubs were tried
}

// HubFailure says why one hub could not be used.
type HubFailure struct {
	URL string
	Err error // a *Error if the hub refused; otherwise why it was not reached
}

// Error names each hub and what was wrong with it, on one line.
func (e *HubsError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "none of %d hubs can be used", len(e.Failures))
	for i, f := range e.Failures {
		fmt.Fprintf(&text, "%c hub %d, %s: %v", ":;"[min(i, 1)], i+1, f.URL, f.Err)
	}
	return text.String()
}

// Unwrap returns what was wrong with each hub.
func (e *HubsError) Unwrap() []error {
	all := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		all[i] = f.Err
	}
	return all
}

// OrderHubs returns the URLs of hubs in the order in which a member of a room tries them (PROTOCOL.md section 2): each room
// has an order of its own, so that its members tend to meet at one hub, and rooms are spread over all. A hub that is there
// twice, by the host of its URL, is returned once.
func OrderHubs(room string, urls []string) []string {
	type ranked struct {
		url, endpoint string
		rank          uint64
	}
	var list []ranked
	for _, text := range urls {
		endpoint := text // a dial will say what is wrong with it
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			endpoint = NormalHost(u.Host)
		}
		if !slices.ContainsFunc(list, func(r ranked) bool { return r.endpoint == endpoint }) {
			list = append(list, ranked{text, endpoint, rendezvous.Rank(room, endpoint)})
		}
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(b.rank, a.rank) })
	ordered := make([]string, len(list))
	for i, r := range list {
		ordered[i] = r.url
	}
	return ordered
}

// DialHubs dials hubs one after the other until one answers. If ctx has a deadline, each may take an equal part of the time
// that is left. If none of several answers the error is a [*HubsError].
func DialHubs(ctx context.Context, hubs []HubDialer) (Signaler, error) {
	if len(hubs) == 1 {
		return hubs[0].Dialer.Dial(ctx)
	}
	var failed HubsError
	for i, hub := range hubs {
		part, cancel := PartOfTime(ctx, len(hubs)-i)
		s, err := hub.Dialer.Dial(part)
		cancel()
		if err == nil {
			return s, nil
		}
		failed.Failures = append(failed.Failures, HubFailure{hub.URL, err})
		if ctx.Err() != nil {
			break
		}
	}
	return nil, &failed
}

// PartOfTime returns a context that ends after one of so many equal parts of the time that ctx has left. Without a deadline
// in ctx it has none.
func PartOfTime(ctx context.Context, parts int) (context.Context, context.CancelFunc) {
	deadline, bounded := ctx.Deadline()
	if !bounded || parts < 2 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(parts))
}
