package browsertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// clickUntilHit has click done, which clicks on the middle of an element. What loads may move the element between the look
// at where it is and the click: then it is done again, as a person would.
func clickUntilHit(p page, selector string, click func() error) error {
	watch := fmt.Sprintf(`{
		const click = window.browsertestClick = { missed: '' };
		addEventListener('click', (event) => {
			if (!event.composedPath().includes(document.querySelector(%q))) click.missed = event.target.outerHTML.slice(0, 200);
		}, { capture: true, once: true });
	}`, selector)
	// What the press alone has hidden was hit.
	look := fmt.Sprintf(`document.querySelector(%q)?.checkVisibility() && window.browsertestClick?.missed || ''`, selector)
	var missed string
	for pause := range 5 {
		time.Sleep(time.Duration(pause) * 100 * time.Millisecond)
		if _, err := p.evaluate(watch, false); err != nil && !errors.Is(err, errLeft) {
			return err
		}
		if err := click(); err != nil {
			return err
		}
		raw, err := p.evaluate(look, true)
		if errors.Is(err, errLeft) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &missed); err != nil || missed == "" {
			return err
		}
	}
	return fmt.Errorf("in its place is %s", missed)
}
