package browsertest

import "fmt"

// This file is what a person does with a tab and its window.

// Click clicks the element a CSS selector finds, as a person would.
func (t *Tab) Click(selector string) {
	t.tb.Helper()
	t.must("click "+selector, t.page.click(selector))
}

// Fill puts text into the input a CSS selector finds, in place of what was there.
func (t *Tab) Fill(selector, text string) {
	t.tb.Helper()
	t.Do(fmt.Sprintf(`document.querySelector(%q).value = %q`, selector, text))
}

// Keys types into whatever has the focus, "\r", "\t" and "\x1b" included. No keys only give the window the focus.
func (t *Tab) Keys(keys string) {
	t.tb.Helper()
	t.must("keys", t.page.keys(keys))
}

// Navigate goes to another address.
func (t *Tab) Navigate(url string) {
	t.tb.Helper()
	t.must("navigate to "+url, t.page.navigate(url))
}

// Back goes back in the tab's history.
func (t *Tab) Back() {
	t.tb.Helper()
	t.must("back", t.page.back())
}

// Forward goes forward in the tab's history.
func (t *Tab) Forward() {
	t.tb.Helper()
	t.must("forward", t.page.forward())
}

// Reload reloads the page.
func (t *Tab) Reload() {
	t.tb.Helper()
	t.must("reload", t.page.reload())
}

// Resize gives the page another size, in CSS pixels.
func (t *Tab) Resize(width, height int64) {
	t.tb.Helper()
	t.must("resize", t.page.resize(width, height))
}

// Media sets a media feature to a value: prefers-color-scheme, prefers-reduced-motion, or pointer to coarse or
// fine. In Firefox the last two are those of all pages, so the browser must be the test's alone, as with [FocusIsOurs],
// unless nobody else minds.
func (t *Tab) Media(feature, value string) {
	t.tb.Helper()
	t.must(feature, t.page.media(feature, value))
}

// Close closes the tab, as a person would: the page gets its pagehide.
func (t *Tab) Close() { t.page.close() }

func (t *Tab) must(what string, err error) {
	t.tb.Helper()
	if err != nil {
		t.tb.Fatalf("%s: %v", what, err)
	}
}
