package browsertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// page is one that is open.
type page interface {
	// evaluate evaluates JavaScript, awaits it if it is a promise, and returns its value as
	// JSON if that is asked for; none for undefined. errLeft: the page went away meanwhile.
	evaluate(js string, wanted bool) (json.RawMessage, error)
	click(selector string) error
	keys(keys string) error // "\r", "\t" and "\x1b" included
	navigate(url string) error
	back() error
	forward() error
	reload() error
	resize(width, height int64) error // in CSS pixels
	media(feature, value string) error
	screenshot() ([]byte, error) // a PNG
	crash() error
	close()
}

// longestLook is how long [Tab.Wait] awaits a condition before it asks again.
const longestLook = 30 * time.Second

// errLeft is that of an evaluation in a document that goes away.
var errLeft = errors.New("the document has gone away")

// Tab is one page in a window of its own, so that it is visible. What it
// writes to its console as a warning or error fails the test, Content Security
// Policy reports among it.
type Tab struct {
	tb   testing.TB
	page page

	mu       sync.Mutex
	complain []string // what the console said
	allowed  []string // substrings of what it may say
	log      []string
}

// raced is what Chromium says of a WebSocket that is given up: on a busy machine the way over HTTP may be the faster one.
const raced = "WebSocket is closed before the connection is established"

// Open opens a page. prepare, if not "", is JavaScript run before the page's own.
func (b *Browser) Open(url, prepare string) *Tab {
	b.tb.Helper()
	tab := &Tab{tb: b.tb, allowed: []string{raced}}
	opened, err := b.profile.open(b.language, prepare, tab.heard)
	if err != nil {
		b.tb.Fatalf("opening a tab in %s: %v", b.kind, err)
	}
	tab.page = opened
	b.tb.Cleanup(func() {
		opened.close()
		tab.judge()
	})
	tab.Navigate(url)
	return tab
}

func (t *Tab) heard(m message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log = append(t.log, m.text)
	if m.bad {
		t.complain = append(t.complain, m.text)
	}
}

// Allow lets the console say things that hold one of these substrings.
func (t *Tab) Allow(substrings ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.allowed = append(t.allowed, substrings...)
}

func (t *Tab) judge() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, message := range t.complain {
		if !containsAny(message, t.allowed) {
			t.tb.Errorf("the console said: %s", message)
		}
	}
	if t.tb.Failed() {
		t.tb.Logf("console:\n%s", strings.Join(t.log, "\n"))
	}
}

func containsAny(s string, substrings []string) bool {
	for _, sub := range substrings {
		if strings.Contains(s, sub) {
			return true
		}
	}
	return false
}

// Eval evaluates JavaScript in the page, awaits it if it is a promise, and
// returns its value.
func Eval[T any](t *Tab, js string) (value T) {
	t.tb.Helper()
	raw, err := t.page.evaluate(js, true)
	if err == nil {
		err = decode(raw, &value)
	}
	if err != nil {
		t.tb.Fatalf("%s: %v", js, err)
	}
	return value
}

// decode takes null only for what can be nil.
func decode[T any](raw json.RawMessage, value *T) error {
	if raw == nil {
		return errors.New("it is undefined")
	}
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
	default:
		if string(raw) == "null" {
			return errors.New("it is null")
		}
	}
	return json.Unmarshal(raw, value)
}

// Do evaluates JavaScript for what it does.
func (t *Tab) Do(js string) {
	t.tb.Helper()
	if _, err := t.page.evaluate(js, false); err != nil && !errors.Is(err, errLeft) {
		t.tb.Fatalf("%s: %v", js, err)
	}
}

// Wait waits until a JavaScript condition, which may await, holds. The page may be on its way to
// another document, and what the condition awaits may never come: in Firefox the statistics of a
// connection that is closed meanwhile do not.
func (t *Tab) Wait(what, condition string) {
	t.tb.Helper()
	end := time.Now().Add(patience - 5*time.Second)
	for {
		js := fmt.Sprintf(`(async () => {
			const end = performance.now() + %d;
			while (performance.now() < end) {
				const late = new Promise((resolve) => setTimeout(resolve, %d));
				try { if (await Promise.race([(%s), late])) return true; } catch {}
				await new Promise((resolve) => setTimeout(resolve, 50));
			}
			return false;
		})()`, time.Until(end).Milliseconds(), longestLook.Milliseconds(), condition)
		raw, err := t.page.evaluate(js, true)
		switch {
		case errors.Is(err, errLeft) && time.Now().Before(end):
			<-time.After(50 * time.Millisecond) // until the next document is there
		case err != nil:
			t.tb.Fatalf("waiting for %s (%s): %v", what, condition, err)
		case string(raw) != "true":
			t.tb.Fatalf("never came: %s (%s); the focus: %s; the page shows:\n%s", what, condition,
				Eval[string](t, `document.hasFocus() + ', ' + document.activeElement?.outerHTML.slice(0, 200)`), Eval[string](t, `document.body.innerText`))
		default:
			return
		}
	}
}

// Screenshot writes a PNG of what the page shows into the folder that
// NOOM_SCREENSHOTS names; without it nothing happens.
func (t *Tab) Screenshot(name string) {
	t.tb.Helper()
	folder := os.Getenv("NOOM_SCREENSHOTS")
	if folder == "" {
		return
	}
	png, err := t.page.screenshot()
	if err != nil {
		t.tb.Fatal(err)
	}
	if err := os.WriteFile(folder+"/"+name+".png", png, 0o644); err != nil {
		t.tb.Fatal(err)
	}
}

// Crash kills the page's process: nothing in it can say goodbye.
func (t *Tab) Crash() {
	t.tb.Helper()
	if err := t.page.crash(); err != nil {
		t.tb.Fatalf("crash: %v", err)
	}
}
