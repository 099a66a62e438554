package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

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
