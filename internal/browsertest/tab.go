package browsertest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Tab is one page in a window of its own, so that it is visible. What it
// writes to its console as a warning or error fails the test, Content Security
// Policy reports among it.
type Tab struct {
	tb     testing.TB
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	complain []string // what the console said
	allowed  []string // substrings of what it may say
	log      []string
}

// Open opens a page. prepare, if not "", is JavaScript run before the page's own.
func (b *Browser) Open(url, prepare string) *Tab {
	b.tb.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	tab := &Tab{tb: b.tb, ctx: ctx, cancel: cancel}
	if err := chromedp.Do(ctx); err != nil {
		b.tb.Fatalf("opening a tab: %v", err)
	}
	console := chromedp.Console(ctx)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for m, err := range console {
			if err != nil {
				return
			}
			tab.heard(m)
		}
	}()
	b.tb.Cleanup(func() {
		cancel()
		<-read
		tab.judge()
	})
	if b.language != "" {
		agent := Eval[string](tab, `navigator.userAgent`)
		if _, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: b.language}); err != nil {
			b.tb.Fatal(err)
		}
	}
	if prepare != "" {
		if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: prepare}); err != nil {
			b.tb.Fatal(err)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		b.tb.Fatalf("opening %s: %v", url, err)
	}
	return tab
}

func (t *Tab) heard(m chromedp.ConsoleMessage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log = append(t.log, m.String())
	if m.IsException() || m.Type == "error" || m.Type == "warning" {
		t.complain = append(t.complain, m.String())
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
func Eval[T any](t *Tab, js string) T {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		t.tb.Fatalf("%s: %v", js, err)
	}
	return v
}

// Do evaluates JavaScript for what it does.
func (t *Tab) Do(js string) {
	t.tb.Helper()
	Eval[chromedp.Void](t, js)
}

// Wait waits until a JavaScript condition, which may await, holds.
func (t *Tab) Wait(what, condition string) {
	t.tb.Helper()
	js := fmt.Sprintf(`(async () => {
		const end = performance.now() + %d;
		while (performance.now() < end) {
			try { if (await (%s)) return true; } catch {}
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
		return false;
	})()`, (patience - 5*time.Second).Milliseconds(), condition)
	if !Eval[bool](t, js) {
		t.tb.Fatalf("never came: %s (%s); the page shows:\n%s", what, condition, Eval[string](t, `document.body.innerText`))
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
	png, err := chromedp.Run(t.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.tb.Fatal(err)
	}
	if err := os.WriteFile(folder+"/"+name+".png", png, 0o644); err != nil {
		t.tb.Fatal(err)
	}
}

// Crash kills the page's process: nothing in it can say goodbye.
func (t *Tab) Crash() {
	ctx, cancel := context.WithTimeout(t.ctx, time.Second)
	defer cancel()
	// The page dies before it can answer, so this always fails.
	_, _ = chromedp.Call(ctx, page.Crash, cdp.Empty{})
}
