package browsertest

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Path returns where Chromium is. Without one it skips or fails the test.
func Path(tb testing.TB) string {
	tb.Helper()
	for _, name := range []string{os.Getenv("NOOM_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	Without(tb, "NO CHROMIUM: the browser tests do not run; install it, or name it in NOOM_CHROMIUM")
	return ""
}

// chromiumFlags are those that every Chromium is started with.
var chromiumFlags = map[string]any{
	"use-fake-device-for-media-stream": "device-count=4,fps=5",
	"use-fake-ui-for-media-stream":     true,
	"autoplay-policy":                  "no-user-gesture-required",
	"lang":                             "en-US",
	"disable-quic":                     true,
	"disable-gpu":                      true, // none is there, and to find that out takes longer than to start the rest
	"disable-component-update":         true,
	"disable-background-networking":    true,
	// Renderers in reserve, and for parts of a window that nobody sees.
	"disable-features": "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess,PreloadTopChromeWebUI,WebUIOmniboxPopup,WebUIOmniboxAimPopup",
}

// chromiumOptions are what options do to the flags; nil leaves a flag out.
var chromiumOptions = map[Option]map[string]any{
	NoDevices:       {"use-fake-device-for-media-stream": nil},
	DevicesRefused:  {"use-fake-ui-for-media-stream": nil, "deny-permission-prompts": true},
	AutoplayRefused: {"autoplay-policy": "document-user-activation-required"},
	AddressesHidden: {"use-fake-ui-for-media-stream": nil}, // because a page that may use a camera sees addresses
	AnyCertificate:  {"ignore-certificate-errors": true},
	NoomLANIsHere:   {"host-resolver-rules": "MAP noom.lan 127.0.0.1"},
	SmoothCamera:    {"use-fake-device-for-media-stream": "device-count=4,fps=30"},
}

// chromium is one that runs.
type chromium struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// launchChromium starts a Chromium.
func launchChromium(tb testing.TB, options []Option) *chromium {
	tb.Helper()
	set := maps.Clone(chromiumFlags)
	for _, o := range options {
		maps.Copy(set, chromiumOptions[o])
	}
	how := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(Path(tb)), chromedp.WindowSize(1280, 800),
		chromedp.WSURLReadTimeout(patience))
	if os.Geteuid() == 0 {
		how = append(how, chromedp.NoSandbox)
	}
	for name, value := range set {
		if value != nil {
			how = append(how, chromedp.Flag(name, value))
		}
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), how...)
	ctx, _ := chromedp.NewContext(allocator) // ended by Cancel, or with the allocator
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		tb.Fatalf("starting Chromium: %v", err)
	}
	return &chromium{ctx, cancel}
}

func (c *chromium) stop() error {
	defer c.cancel()
	closing, done := context.WithTimeout(c.ctx, closingTakesLong)
	defer done()
	return chromedp.Cancel(closing)
}

func (c *chromium) gone() bool {
	select {
	case <-chromedp.FromContext(c.ctx).Browser.LostConnection:
		return true
	default:
		return false
	}
}

func (c *chromium) profile(tb testing.TB) profile {
	tb.Helper()
	// chromedp would open a page in it at once, whose window nobody needs and which takes most of a second of a processor.
	made, err := callBrowser(c.ctx, target.CreateBrowserContext, target.CreateBrowserContextParams{})
	if err != nil {
		tb.Fatalf("a profile in Chromium: %v", err)
	}
	tb.Cleanup(func() {
		if _, err := callBrowser(c.ctx, target.DisposeBrowserContext, target.DisposeBrowserContextParams(made)); err != nil {
			tb.Logf("removing a profile in Chromium: %v", err)
		}
	})
	return chromiumProfile{c.ctx, made.BrowserContextID}
}

// callBrowser sends a command to the browser and not to one of its pages.
func callBrowser[P, R any](browser context.Context, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(browser, patience)
	defer cancel()
	return cdp.Call(ctx, chromedp.FromContext(browser).Browser, command, params)
}
