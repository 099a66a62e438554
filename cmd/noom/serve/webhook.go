package serve

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"noom/signal"
	"noom/signal/hub"
)

// The bounds of a webhook.
const (
	hookTimeout   = 5 * time.Second // of one try, with its answer
	hookFirstWait = 500 * time.Millisecond
	hookLastWait  = 30 * time.Second
	hookTries     = 8               // of one event: some two minutes
	hookGoodbye   = 3 * time.Second // for what waits when the server ends
	hookAnswer    = 4096            // bytes that are read of an answer, so that its connection can be used again
	leastSecret   = 16              // bytes
)

// The headers of a webhook's requests.
const (
	hookTimestamp = "Noom-Timestamp"
	hookSignature = "Noom-Signature"
)

// secretVariable is the variable of the environment that has the secret where there is no -webhook-secret.
const secretVariable = "NOOM_WEBHOOK_SECRET"

// A webhook posts what happens in the hub's rooms to a URL, one event after the other. What waits for it waits in the hub,
// which bounds it and drops the oldest; the hub never waits.
type webhook struct {
	url    string
	secret []byte
	client *http.Client
	log    *slog.Logger

	// Of the loop over events.
	run    string // names this run of the server in the ids of events
	number int    // of the last event
	missed int    // events since the last that was taken
}

// newWebhook checks what the flags say.
func newWebhook(to, secretFile string, log *slog.Logger) (*webhook, error) {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("-webhook: want a URL such as https://example.com/noom")
	}
	secret, where := os.Getenv(secretVariable), secretVariable+" of the environment"
	if secretFile != "" {
		text, err := os.ReadFile(secretFile)
		if err != nil {
			return nil, fmt.Errorf("-webhook-secret: %w", err)
		}
		secret, where = string(text), "-webhook-secret "+secretFile
	}
	secret = strings.TrimSpace(secret)
	if len(secret) < leastSecret {
		return nil, fmt.Errorf("-webhook needs a secret of %d bytes or more, to sign with; %s has %d", leastSecret, where, len(secret))
	}
	return &webhook{
		url: u.String(), secret: []byte(secret), log: log, run: strings.ToLower(rand.Text()[:12]),
		client: &http.Client{
			Timeout:       hookTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// start begins to post a hub's events. end, called after the hub's Shutdown, lets the rest be posted, for a while.
func (w *webhook) start(h *hub.Hub) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	events, done := h.Events(ctx), make(chan struct{})
	go func() {
		defer close(done)
		for e := range events {
			w.post(ctx, e)
		}
	}()
	return func() {
		late := time.AfterFunc(hookGoodbye, cancel)
		<-done
		late.Stop()
		cancel()
	}
}

// hookEvent is the body of a request.
type hookEvent struct {
	ID     string      `json:"id"`     // the same each time that this event is posted
	At     int64       `json:"at"`     // ms since 1970, when it was posted first
	Missed int         `json:"missed"` // events before it that could not be posted
	Type   string      `json:"type"`
	Room   string      `json:"room"`
	Member *hookMember `json:"member,omitempty"`
	Reason string      `json:"reason,omitempty"`
}

// hookMember is who an event is about.
type hookMember struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Identity string        `json:"identity,omitempty"`
	Rights   signal.Rights `json:"rights,omitempty"`
	Since    int64         `json:"since"` // ms since 1970
}

func memberOf(m hub.MemberInfo) *hookMember {
	return &hookMember{ID: m.ID, Name: m.Name, Identity: m.Identity, Rights: m.Rights, Since: m.Since.UnixMilli()}
}

// post posts an event until it is taken, refused for good, or too old.
func (w *webhook) post(ctx context.Context, e hub.Event) {
	var body hookEvent
	switch e := e.(type) {
	case hub.RoomOpened:
		body = hookEvent{Type: "room_opened", Room: e.Room, Member: memberOf(e.By)}
	case hub.MemberJoined:
		body = hookEvent{Type: "member_joined", Room: e.Room, Member: memberOf(e.Member)}
	case hub.MemberLeft:
		body = hookEvent{Type: "member_left", Room: e.Room, Member: memberOf(e.Member), Reason: string(e.Reason)}
	case hub.RoomClosed:
		body = hookEvent{Type: "room_closed", Room: e.Room}
	case hub.Lagged:
		w.missed += e.Dropped // the next body says so
		w.log.Warn("webhook: events were dropped, because it is too slow", "dropped", e.Dropped)
		return
	}
	w.number++
	body.ID, body.At, body.Missed = fmt.Sprintf("%s-%d", w.run, w.number), time.Now().UnixMilli(), w.missed
	text, err := json.Marshal(body)
	if err == nil {
		err = w.deliver(ctx, text)
	}
	if err != nil {
		w.missed++
		w.log.Warn("webhook: an event is given up", "id", body.ID, "error", err)
		return
	}
	w.missed = 0
}

// deliver tries several times.
func (w *webhook) deliver(ctx context.Context, body []byte) error {
	wait := hookFirstWait
	for try := 1; ; try++ {
		again, err := w.try(ctx, body)
		if err == nil || !again || try == hookTries {
			return err
		}
		select {
		case <-time.After(wait/2 + mathrand.N(wait/2+1)):
		case <-ctx.Done():
			return err
		}
		wait = min(2*wait, hookLastWait)
	}
}

// try makes one request. again reports whether another may fare better.
func (w *webhook) try(ctx context.Context, body []byte) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(hookTimestamp, at)
	request.Header.Set(hookSignature, "v1="+hookMAC(w.secret, at, body))
	response, err := w.client.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // the rest repeats the URL, in which there may be a password
		}
		return ctx.Err() == nil, err
	}
	_, _ = io.CopyN(io.Discard, response.Body, hookAnswer) // its status says all
	_ = response.Body.Close()
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		return false, nil
	case code >= 300 && code < 400:
		return false, fmt.Errorf("HTTP %d: it redirects, which is not followed; give -webhook the final URL", code)
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return true, fmt.Errorf("HTTP %d", code)
	default:
		return false, fmt.Errorf("HTTP %d: it refuses the event", code)
	}
}

// hookMAC signs a request: HMAC-SHA-256, in hexadecimal, over the timestamp, a dot and the body.
func hookMAC(secret []byte, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(at + ".")) // a hash never fails
	_, _ = mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
