package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// chromiumProfile is what a page is opened in.
type chromiumProfile struct {
	ctx context.Context // the browser's
	id  cdp.BrowserContextID
}

// chromiumPage is a target of Chromium's.
type chromiumPage struct {
	ctx    context.Context
	cancel context.CancelFunc
	read   chan struct{} // closed when its console is at its end

	features map[string]string // of media, that are set: Chromium takes all of them at once
}

func (p chromiumProfile) open(language, prepare string, console func(message)) (page, error) {
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithExistingBrowserContext(p.id))
	tab := &chromiumPage{ctx: ctx, cancel: cancel, read: make(chan struct{}), features: make(map[string]string)}
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		return nil, err
	}
	messages := chromedp.Console(ctx)
	go func() {
		defer close(tab.read)
		for m, err := range messages {
			if err != nil {
				return
			}
			console(message{m.String(), m.IsException() || m.Type == "error" || m.Type == "warning"})
		}
	}()
	if err := tab.prepare(language, prepare); err != nil {
		tab.close()
		return nil, err
	}
	return tab, nil
}

func (p *chromiumPage) prepare(language, script string) error {
	if language != "" {
		agent, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`navigator.userAgent`))
		if err != nil {
			return err
		}
		if _, err := chromedp.Call(p.ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: language}); err != nil {
			return err
		}
	}
	if script == "" {
		return nil
	}
	_, err := chromedp.Call(p.ctx, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	return err
}

func (p *chromiumPage) evaluate(js string, wanted bool) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if !wanted {
		return nil, left(chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](js, chromedp.EvalAwaitPromise)))
	}
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](js, chromedp.EvalAwaitPromise))
	return raw, left(err)
}

// left makes errLeft of what Chromium says in its place.
func left(err error) error {
	if err != nil && strings.Contains(err.Error(), "navigated or closed") {
		return errLeft
	}
	return err
}

func (p *chromiumPage) act(action chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, action)
}

func (p *chromiumPage) click(selector string) error {
	return clickUntilHit(p, selector, func() error { return p.act(chromedp.Click(chromedp.CSS(selector))) })
}

func (p *chromiumPage) keys(keys string) error    { return p.act(chromedp.KeyEvent(keys)) }
func (p *chromiumPage) navigate(url string) error { return p.act(chromedp.Navigate(url)) }
func (p *chromiumPage) reload() error             { return p.act(chromedp.Reload()) }

func (p *chromiumPage) back() error    { return p.travel(`history.back()`) }
func (p *chromiumPage) forward() error { return p.travel(`history.forward()`) }

// travel goes through the history. A document that comes out of the back-forward cache is not loaded, so there is no load
// to wait for; and the one that is left may be gone before it can answer.
func (p *chromiumPage) travel(js string) error {
	if err := left(p.act(chromedp.Evaluate[chromedp.Void](js))); !errors.Is(err, errLeft) {
		return err
	}
	return nil
}

func (p *chromiumPage) resize(width, height int64) error {
	_, err := chromedp.Call(p.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
	return err
}

func (p *chromiumPage) media(feature, value string) error {
	if feature == "pointer" {
		_, err := chromedp.Call(p.ctx, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: value == "coarse"})
		return err
	}
	p.features[feature] = value
	var all []*emulation.MediaFeature
	for name, value := range p.features {
		all = append(all, &emulation.MediaFeature{Name: name, Value: value})
	}
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: all})
	return err
}

func (p *chromiumPage) screenshot() ([]byte, error) {
	return chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
}

func (p *chromiumPage) crash() error {
	ctx, cancel := context.WithTimeout(p.ctx, time.Second)
	defer cancel()
	// The page dies before it can answer, so this always fails.
	_, _ = chromedp.Call(ctx, cdpage.Crash, cdp.Empty{})
	return nil
}

func (p *chromiumPage) close() {
	p.cancel()
	<-p.read
}
