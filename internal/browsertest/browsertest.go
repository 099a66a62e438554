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
	"runtime"
	"strconv"
	"testing"
	"time"

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

// In makes the pages that are opened from now on those of somebody who reads that
// language, such as "ko", and returns b.
func (b *Browser) In(language string) *Browser {
	b.language = language
	return b
}
