// Package browsertest drives real headless Chromium in tests. Its cameras and
// microphone are Chromium's fakes: moving pictures and beeps.
//
// Without Chromium a test that asks for it is skipped, loudly; with the
// environment variable NOOM_BROWSER=required it fails instead.
package browsertest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience bounds the wait for one thing to happen in a page. It is long, for
// machines that are busy; nothing waits longer than it must.
const patience = 2 * time.Minute

// Browser is a profile of its own in a Chromium.
type Browser struct {
	tb       testing.TB
	ctx      context.Context
	language string // of its person; "" for the one that Chromium was started with
}

// Flag changes how Chromium is started; nil as a value leaves a flag out.
type Flag struct {
	Name  string
	Value any
}

// Path returns where Chromium is. Without one it skips or fails the test.
func Path(tb testing.TB) string {
	tb.Helper()
	for _, name := range []string{os.Getenv("NOOM_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	const message = "NO CHROMIUM: the browser tests do not run; install it, or name it in NOOM_CHROMIUM"
	if os.Getenv("NOOM_BROWSER") == "required" {
		tb.Fatal(message)
	}
	fmt.Fprintln(os.Stderr, message)
	tb.Skip(message)
	return ""
}

// shared is the Chromium of all tests that need no flags: to start one for each
// would take as long as what they do in it.
var shared struct {
	sync.Mutex
	*chromium // nil: none was needed yet
}

// chromium is one that runs.
type chromium struct {
	ctx  context.Context
	stop func() error
}

// Run runs a package's tests, then stops the Chromium that they shared, and
// returns the exit code. A package whose tests call [Start] has it in its TestMain.
// Pages wait most of the time, so more tests run at once than there are processors,
// unless -parallel says otherwise.
func Run(m *testing.M) (code int) {
	flag.Parse()
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		_ = n.Value.Set(strconv.Itoa(min(2*runtime.GOMAXPROCS(0), 8))) // a number
	}
	code = m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.chromium != nil {
		if err := shared.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "closing Chromium:", err)
		}
	}
	return code
}

// Start returns a profile of the test's own, which goes when the test ends, in a
// Chromium that others use too; with flags, one that is the test's alone.
func Start(tb testing.TB, flags ...Flag) *Browser {
	tb.Helper()
	if len(flags) > 0 {
		own := launch(tb, flags)
		tb.Cleanup(func() {
			if err := own.stop(); err != nil {
				tb.Logf("closing Chromium: %v", err)
			}
		})
		return &Browser{tb: tb, ctx: own.ctx}
	}
	ctx, cancel := chromedp.NewContext(running(tb), chromedp.WithNewBrowserContext())
	tb.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("a profile in Chromium: %v", err)
	}
	return &Browser{tb: tb, ctx: ctx}
}

// running returns the shared Chromium, started if there is none, or none any longer.
func running(tb testing.TB) context.Context {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.chromium != nil {
		select {
		case <-chromedp.FromContext(shared.ctx).Browser.LostConnection:
			tb.Log("the Chromium of the tests before is gone")
			_ = shared.stop() // what is left of it
		default:
			return shared.ctx
		}
	}
	shared.chromium = launch(tb, nil)
	return shared.ctx
}

// launch starts a Chromium.
func launch(tb testing.TB, flags []Flag) *chromium {
	tb.Helper()
	set := map[string]any{
		"use-fake-device-for-media-stream": "device-count=4,fps=5",
		"use-fake-ui-for-media-stream":     true,
		"autoplay-policy":                  "no-user-gesture-required",
		"lang":                             "en-US",
		"disable-quic":                     true,
		"disable-component-update":         true,
		"disable-background-networking":    true,
		// Renderers in reserve, and for parts of a window that nobody sees.
		"disable-features": "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess,PreloadTopChromeWebUI",
	}
	for _, f := range flags {
		set[f.Name] = f.Value
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(Path(tb)), chromedp.WindowSize(1280, 800),
		chromedp.WSURLReadTimeout(patience))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	for name, value := range set {
		if value != nil {
			options = append(options, chromedp.Flag(name, value))
		}
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator) // ended by Cancel, or with the allocator
	stop := func() error {
		closing, done := context.WithTimeout(ctx, 10*time.Second)
		defer done()
		defer cancel()
		return chromedp.Cancel(closing)
	}
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		tb.Fatalf("starting Chromium: %v", err)
	}
	return &chromium{ctx, stop}
}

// In makes the pages that are opened from now on those of somebody who reads that
// language, such as "ko", and returns b.
func (b *Browser) In(language string) *Browser {
	b.language = language
	return b
}

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

// Click clicks the element a CSS selector finds, as a person would.
func (t *Tab) Click(selector string) {
	t.tb.Helper()
	t.act("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Fill puts text into the input a CSS selector finds, in place of what was there.
func (t *Tab) Fill(selector, text string) {
	t.tb.Helper()
	t.Do(fmt.Sprintf(`document.querySelector(%q).value = %q`, selector, text))
}

// Keys types into whatever has the focus, "\r" and "\t" included.
func (t *Tab) Keys(keys string) {
	t.tb.Helper()
	t.act("keys", chromedp.KeyEvent(keys))
}

// Navigate goes to another address.
func (t *Tab) Navigate(url string) {
	t.tb.Helper()
	t.act("navigate to "+url, chromedp.Navigate(url))
}

// Back goes back in the tab's history.
func (t *Tab) Back() {
	t.tb.Helper()
	t.act("back", chromedp.NavigateBack())
}

// Forward goes forward in the tab's history.
func (t *Tab) Forward() {
	t.tb.Helper()
	t.act("forward", chromedp.NavigateForward())
}

// Reload reloads the page.
func (t *Tab) Reload() {
	t.tb.Helper()
	t.act("reload", chromedp.Reload())
}

func (t *Tab) act(what string, action chromedp.Action[chromedp.Void]) {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		t.tb.Fatalf("%s: %v", what, err)
	}
}

// Resize gives the page another size, in CSS pixels.
func (t *Tab) Resize(width, height int64) {
	t.tb.Helper()
	_, err := chromedp.Call(t.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	if err != nil {
		t.tb.Fatal(err)
	}
}

// Media sets a media feature, such as prefers-color-scheme, to a value.
func (t *Tab) Media(feature, value string) {
	t.tb.Helper()
	_, err := chromedp.Call(t.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
	})
	if err != nil {
		t.tb.Fatal(err)
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

// Close closes the tab, as a person would: the page gets its pagehide.
func (t *Tab) Close() { t.cancel() }

// Crash kills the page's process: nothing in it can say goodbye.
func (t *Tab) Crash() {
	ctx, cancel := context.WithTimeout(t.ctx, time.Second)
	defer cancel()
	// The page dies before it can answer, so this always fails.
	_, _ = chromedp.Call(ctx, page.Crash, cdp.Empty{})
}
