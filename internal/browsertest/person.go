package browsertest

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// This file is what a person does with a tab and its window.

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

// Close closes the tab, as a person would: the page gets its pagehide.
func (t *Tab) Close() { t.cancel() }
