package serve

import (
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/cmd/noom/command"
	"noom/internal/webtest"
	"noom/signal/hub"
	"noom/transport/mem"
	"noom/transport/ws"
)

const hookSecret = "아주 비밀스러운 열쇠"

// A hookEnd is what a webhook posts to. It answers what answer says, after it has noted what has come.
type hookEnd struct {
	t      *testing.T
	mu     sync.Mutex
	came   []hookEvent
	at     []time.Time
	answer func(n int, w http.ResponseWriter, r *http.Request) // n counts from 1; nil: all is taken
}

func (e *hookEnd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var event hookEvent
	if err != nil || json.Unmarshal(body, &event) != nil {
		e.t.Errorf("%v: %s", err, body)
	}
	stamp := r.Header.Get(hookTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	signed := hmac.Equal([]byte(r.Header.Get(hookSignature)), []byte("v1="+hookMAC([]byte(hookSecret), stamp, body)))
	if err != nil || !signed || seconds != time.Now().Unix() || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		e.t.Errorf("%s %s, signed %v: %v", r.Method, r.URL, signed, r.Header)
	}
	e.mu.Lock()
	e.came, e.at = append(e.came, event), append(e.at, time.Now())
	n := len(e.came)
	e.mu.Unlock()
	if e.answer != nil {
		e.answer(n, w, r)
	}
}

// seen returns what has come, and when.
func (e *hookEnd) seen() ([]hookEvent, []time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.came), slices.Clone(e.at)
}

// types are those of what has come, with the reason if there is one.
func (e *hookEnd) types() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var types []string
	for _, event := range e.came {
		types = append(types, strings.TrimSpace(event.Type+" "+event.Reason))
	}
	return types
}

// posting runs f with a hub whose events are posted to end.
func posting(t *testing.T, end *hookEnd, f func(t *testing.T, h *hub.Hub, stop func())) {
	t.Helper()
	t.Setenv(secretVariable, hookSecret)
	synctest.Test(t, func(t *testing.T) {
		end.t = t
		network := webtest.NewNetwork()
		network.Serve(t, &http.Server{ReadHeaderTimeout: time.Hour, Handler: end})
		w, err := newWebhook("http://hook/noom", "", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		w.client.Transport = network.Client(t).Transport
		h := hub.New(nil)
		stop := sync.OnceFunc(w.start(h))
		f(t, h, stop)
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		stop()
	})
}

// visit enters a room and leaves it.
func visit(t *testing.T, h *hub.Hub, room, name string) {
	t.Helper()
	r, err := noom.Join(t.Context(), mem.Dialer(h), room, &noom.Config{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWebhook: what happens is posted in order, signed, once where it is taken, and what waits at the end too.
func TestWebhook(t *testing.T) {
	end := &hookEnd{}
	posting(t, end, func(t *testing.T, h *hub.Hub, stop func()) {
		visit(t, h, "데모", "지우")
		synctest.Wait()
		if want := []string{"room_opened", "member_joined", "member_left left", "room_closed"}; !slices.Equal(end.types(), want) {
			t.Errorf("posted %q, want %q", end.types(), want)
		}
		ids := make(map[string]bool)
		came, _ := end.seen()
		for _, event := range came {
			ids[event.ID] = true
			if event.Room != "데모" || event.Missed != 0 || event.At != time.Now().UnixMilli() || (event.Member == nil) != (event.Type == "room_closed") {
				t.Errorf("%+v", event)
			}
			if m := event.Member; m != nil && (m.Name != "지우" || len(m.ID) != 26 || m.Since == 0) {
				t.Errorf("%+v", m)
			}
		}
		if len(ids) != 4 {
			t.Errorf("ids %v", ids)
		}
		room, err := noom.Join(t.Context(), mem.Dialer(h), "lobby", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = room.Leave(t.Context()) }() // there is no hub to say it to
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		stop()
		if last := end.types(); !slices.Equal(last[4:], []string{"room_opened", "member_joined", "member_left restart", "room_closed"}) {
			t.Errorf("posted at the end: %q", last[4:])
		}
	})
}

// TestWebhookFails: what fails is posted again, ever later, with the same id, and so is what nobody answers; what is refused
// or redirected is not, and the next body counts what was missed.
func TestWebhookFails(t *testing.T) {
	var followed bool
	end := &hookEnd{}
	end.answer = func(n int, w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/elsewhere":
			followed = true
		case n <= 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		case n == 4:
			<-r.Context().Done() // it hangs
		case n == 6:
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case n == 7:
			w.WriteHeader(http.StatusGone)
		}
	}
	posting(t, end, func(t *testing.T, h *hub.Hub, _ func()) {
		began := time.Now()
		visit(t, h, "데모", "지우")
		if time.Since(began) > time.Second {
			t.Errorf("the hub has waited %v", time.Since(began))
		}
		time.Sleep(time.Minute)
		want := []string{"room_opened", "room_opened", "room_opened", "room_opened", "room_opened", "member_joined", "member_left left", "room_closed"}
		if !slices.Equal(end.types(), want) || followed {
			t.Fatalf("posted %q, want %q; followed: %v", end.types(), want, followed)
		}
		came, at := end.seen()
		for i := range 4 {
			least := []time.Duration{hookFirstWait, 2 * hookFirstWait, 4 * hookFirstWait, hookTimeout + 8*hookFirstWait}[i] / 2
			if pause := at[i+1].Sub(at[i]); pause < least || came[i].ID != came[i+1].ID {
				t.Errorf("try %d after %v, at least %v; ids %s, %s", i+2, pause, least, came[i].ID, came[i+1].ID)
			}
		}
		if last := came[7]; last.Missed != 2 {
			t.Errorf("missed %d events, want 2", last.Missed)
		}
	})
}

// TestWebhookThatIsDown: however long nothing is taken, the hub goes on, the events that are too many are counted, and the end
// does not wait for ever.
func TestWebhookThatIsDown(t *testing.T) {
	var down sync.Mutex
	end := &hookEnd{}
	refusing := true
	end.answer = func(_ int, w http.ResponseWriter, _ *http.Request) {
		down.Lock()
		defer down.Unlock()
		if refusing {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	posting(t, end, func(t *testing.T, h *hub.Hub, stop func()) {
		began := time.Now()
		for i := range 300 {
			visit(t, h, fmt.Sprint("방 ", i), "")
		}
		posted := len(end.types())
		if posted > hookTries {
			t.Errorf("%d requests while the hub was busy for %v", posted, time.Since(began))
		}
		down.Lock()
		refusing = false
		down.Unlock()
		time.Sleep(5 * time.Minute)
		missed, taken := 0, make(map[string]bool)
		came, _ := end.seen()
		for _, event := range came {
			missed = max(missed, event.Missed)
			taken[event.ID] = true
		}
		if missed == 0 || missed+len(taken) != 4*300 {
			t.Errorf("%d events taken and %d missed of %d", len(taken), missed, 4*300)
		}
		down.Lock()
		refusing = true
		down.Unlock()
		visit(t, h, "데모", "")
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		began = time.Now()
		stop()
		if took := time.Since(began); took > hookGoodbye {
			t.Errorf("the end has waited %v", took)
		}
	})
}

// The flags say what is wrong with them.
func TestWebhookFlags(t *testing.T) {
	short := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ flags, variable, says string }{
		{"-webhook http://x/", "", "NOOM_WEBHOOK_SECRET"},
		{"-webhook http://x/", "short", "has 5"},
		{"-webhook http://x/ -webhook-secret " + short, hookSecret, "has 5"},
		{"-webhook http://x/ -webhook-secret /none", hookSecret, "no such file"},
		{"-webhook ftp://x/", hookSecret, "-webhook: want"},
		{"-webhook-secret " + short, hookSecret, "-webhook, which is not given"},
	} {
		t.Setenv(secretVariable, test.variable)
		var out strings.Builder
		code := program.Run(t.Context(), append(strings.Fields(test.flags), "-addr", "127.0.0.1:0"), command.Streams{Out: io.Discard, Err: &out})
		if code == 0 || !strings.Contains(out.String(), test.says) {
			t.Errorf("%s: exit code %d, %s; want %q", test.flags, code, out.String(), test.says)
		}
	}
}

// A server posts its events.
func TestServeWithWebhook(t *testing.T) {
	t.Setenv(secretVariable, hookSecret)
	came := make(chan string, 8)
	end := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event hookEvent
		err := json.NewDecoder(r.Body).Decode(&event)
		came <- fmt.Sprint(event.Type, " ", event.Room, " ", err)
	}))
	t.Cleanup(end.Close)
	url := serveHere(t, "-webhook", end.URL)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: url + "/ws"}, "데모", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"room_opened 데모 <nil>", "member_joined 데모 <nil>"} {
		if got := <-came; got != want {
			t.Errorf("posted %q, want %q", got, want)
		}
	}
	if err := room.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}

// The signature is what README.md says, as another program has computed it.
func TestWebhookSignature(t *testing.T) {
	const want = "31d3e955be74292e6a057e271b82d2807dee986d177c8afd31f1cf944bde11b7"
	if got := hookMAC([]byte(hookSecret), "1700000000", []byte(`{"room":"데모"}`)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
