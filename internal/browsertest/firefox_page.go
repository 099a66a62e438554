package browsertest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// firefoxProfile is what a page is opened in.
type firefoxProfile struct {
	*firefox

	name string
}

// firefoxPage is a top-level browsing context.
type firefoxPage struct {
	*firefox

	context   string
	traversed int // how often its history was gone through
	closing   sync.Once
}

func (p firefoxProfile) open(language, prepare string, console func(message)) (page, error) {
	var made struct{ Context string }
	p.keyboard.Lock()
	err := p.call("browsingContext.create", object{"type": "window", "userContext": p.name}, &made)
	p.keyboard.Unlock()
	if err != nil {
		return nil, err
	}
	tab := &firefoxPage{firefox: p.firefox, context: made.Context}
	p.listen(made.Context, console)
	if err := tab.prepare(language, prepare); err != nil {
		tab.close()
		return nil, err
	}
	return tab, nil
}

func (p *firefoxPage) prepare(language, script string) error {
	// So that there is a way back from the first page, as in Chromium: a new window's blank one is
	// no entry of its history.
	if err := p.navigate("data:text/html,"); err != nil {
		return err
	}
	if language != "" {
		if err := p.call("emulation.setLocaleOverride", object{"locale": language, "contexts": []string{p.context}}, nil); err != nil {
			return err
		}
	}
	if script == "" {
		return nil
	}
	return p.call("script.addPreloadScript", object{"functionDeclaration": "() => {" + script + "\n}", "contexts": []string{p.context}}, nil)
}

func (p *firefoxPage) evaluate(js string, wanted bool) (json.RawMessage, error) {
	return p.firefox.evaluate(p.context, js, wanted)
}

func (f *firefox) evaluate(context, js string, wanted bool) (json.RawMessage, error) {
	params := object{"expression": js, "target": object{"context": context}, "awaitPromise": true}
	if !wanted {
		params["serializationOptions"] = object{"maxObjectDepth": 0}
	}
	var came struct {
		Type             string
		Result           remoteValue
		ExceptionDetails struct{ Text string }
	}
	if err := f.call("script.evaluate", params, &came); err != nil {
		return nil, leftFirefox(err)
	}
	if came.Type == "exception" {
		return nil, errors.New(came.ExceptionDetails.Text)
	}
	if came.Result.Type == "undefined" || !wanted {
		return nil, nil
	}
	value, err := came.Result.decoded()
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// leftFirefox makes errLeft of what Firefox says in its place.
func leftFirefox(err error) error {
	refused, ok := errors.AsType[*bidiError](err)
	if ok && (refused.code == "no such frame" || strings.Contains(refused.text, "AbortError") || strings.Contains(refused.text, "DiscardedBrowsingContext")) {
		return fmt.Errorf("%w: %w", errLeft, err)
	}
	return err
}

func (p *firefoxPage) click(selector string) error {
	return clickUntilHit(p, selector, func() error { return p.press(selector) })
}

// press scrolls to the element, waits until it stays where it is, and clicks its middle.
func (p *firefoxPage) press(selector string) error {
	raw, err := p.evaluate(fmt.Sprintf(`(async () => {
		const end = performance.now() + %d;
		for (let last = ''; performance.now() < end;) {
			const element = document.querySelector(%q);
			if (element?.checkVisibility?.({ visibilityProperty: true })) {
				element.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
				const { left, top, width, height } = element.getBoundingClientRect();
				const at = [Math.floor(left + width / 2), Math.floor(top + height / 2)];
				if (last === at.join()) return at;
				last = at.join();
			}
			await new Promise((resolve) => setTimeout(resolve, 30));
		}
		return [];
	})()`, (patience-5*time.Second).Milliseconds(), selector), true)
	if err != nil {
		return err
	}
	var at []int
	if err := json.Unmarshal(raw, &at); err != nil {
		return err
	}
	if len(at) != 2 {
		return errors.New("there is no such element that can be seen")
	}
	return p.perform(object{"type": "pointer", "id": "mouse", "actions": []object{
		{"type": "pointerMove", "x": at[0], "y": at[1]}, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0},
	}})
}

// webdriverKeys are the keys that are no characters (https://www.w3.org/TR/webdriver2/#keyboard-actions).
var webdriverKeys = strings.NewReplacer("\r", "\ue007", "\t", "\ue004", "\x1b", "\ue00c")

func (p *firefoxPage) keys(keys string) error {
	var actions []object
	for _, key := range webdriverKeys.Replace(keys) {
		actions = append(actions, object{"type": "keyDown", "value": string(key)}, object{"type": "keyUp", "value": string(key)})
	}
	p.keyboard.Lock()
	defer p.keyboard.Unlock()
	if err := p.focus(); err != nil || len(actions) == 0 {
		return err
	}
	return p.perform(object{"type": "key", "id": "keyboard", "actions": actions})
}

// focus puts the window on top, and in it the document: only there has an element the focus, and shows it. To be put there
// again would take both away for a moment, and Tab goes from the document to what is around it. But another window that
// opens or closes may take the focus before it is seen here, and then it is asked for again.
func (p *firefoxPage) focus() error {
	var asked time.Time
	for end := time.Now().Add(patience); time.Now().Before(end); {
		focused, err := p.evaluate(`document.hasFocus()`, true)
		if err != nil || string(focused) == "true" {
			return err
		}
		if time.Since(asked) > time.Second {
			if err := p.call("browsingContext.activate", object{"context": p.context}, nil); err != nil {
				return err
			}
			if _, err := p.inside(p.context, `context.topChromeWindow.gBrowser.selectedBrowser.focus(); undefined`); err != nil {
				return err
			}
			asked = time.Now()
		}
		<-time.After(30 * time.Millisecond)
	}
	return errors.New("the window does not get the focus")
}

func (p *firefoxPage) perform(actions object) error {
	return p.call("input.performActions", object{"context": p.context, "actions": []object{actions}}, nil)
}

func (p *firefoxPage) navigate(url string) error {
	return p.call("browsingContext.navigate", object{"context": p.context, "url": url, "wait": "complete"}, nil)
}

func (p *firefoxPage) reload() error {
	return p.call("browsingContext.reload", object{"context": p.context, "wait": "complete"}, nil)
}

func (p *firefoxPage) back() error    { return p.traverse(-1) }
func (p *firefoxPage) forward() error { return p.traverse(1) }

// traverse waits until the other document is there, which Firefox may have kept as it was.
func (p *firefoxPage) traverse(delta int) error {
	p.traversed++
	mark := fmt.Sprint(`window.noomLeaves === `, p.traversed)
	if _, err := p.evaluate(fmt.Sprint(`window.noomLeaves = `, p.traversed), false); err != nil {
		return err
	}
	if err := p.call("browsingContext.traverseHistory", object{"context": p.context, "delta": delta}, nil); err != nil {
		return err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		raw, err := p.evaluate(`document.readyState === 'complete' && !(`+mark+`)`, true)
		if err != nil && !errors.Is(err, errLeft) {
			return err
		}
		if string(raw) == "true" {
			return nil
		}
		<-time.After(30 * time.Millisecond)
	}
	return errors.New("the document stays")
}

func (p *firefoxPage) resize(width, height int64) error {
	return p.call("browsingContext.setViewport", object{"context": p.context, "viewport": object{"width": width, "height": height}}, nil)
}

// media has no command of its own in WebDriver BiDi yet. Reduced motion and the pointer are for all pages of
// the browser.
func (p *firefoxPage) media(feature, value string) error {
	var js string
	switch feature {
	case "prefers-color-scheme":
		js = fmt.Sprintf(`context.prefersColorSchemeOverride = %q; undefined`, value)
	case "prefers-reduced-motion":
		js = fmt.Sprintf(`Services.prefs.setIntPref('ui.prefersReducedMotion', %q === 'reduce' ? 1 : 0)`, value)
	case "pointer":
		capabilities := map[string]int{"coarse": 1, "fine": 2 | 4}[value] // 4: it can hover
		js = fmt.Sprintf(`for (const of of ['primary', 'all']) Services.prefs.setIntPref('ui.' + of + 'PointerCapabilities', %d)`, capabilities)
	default:
		return fmt.Errorf("cannot make Firefox prefer %s: %s", feature, value)
	}
	_, err := p.inside(p.context, js)
	return err
}

func (p *firefoxPage) screenshot() ([]byte, error) {
	var came struct{ Data string }
	if err := p.call("browsingContext.captureScreenshot", object{"context": p.context, "origin": "document"}, &came); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(came.Data)
}

func (p *firefoxPage) crash() error {
	raw, err := p.inside(p.context, `context.currentWindowGlobal.osPid`)
	if err != nil {
		return err
	}
	var pid int
	if json.Unmarshal(raw, &pid) != nil || pid <= 1 {
		return fmt.Errorf("no process: %s", raw)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return process.Kill()
}

// close is for the page as if its window were closed.
func (p *firefoxPage) close() {
	p.closing.Do(func() {
		_ = p.call("browsingContext.close", object{"context": p.context}, nil) // it may have crashed
		p.listen(p.context, nil)
	})
}
