// Package browsertest drives real headless browsers in tests, Chromium and Firefox, behind one
// interface. Their cameras and microphones are the browsers' own fakes: moving pictures and beeps.
//
// Without a browser a test that asks for it is skipped, loudly; with the environment variable
// NOOM_BROWSER=required it fails instead.
package browsertest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"noom/internal/longtest"
)

// patience bounds the wait for one thing to happen in a page. It is long, for
// machines that are busy; nothing waits longer than it must.
const patience = 2 * time.Minute

// Kind is a kind of browser.
type Kind string

// The kinds of browsers that there are.
const (
	Chromium Kind = "chromium"
	Firefox  Kind = "firefox"
)

// Option changes how a browser is started.
type Option string

// Options.
const (
	NoDevices       Option = "no devices"        // there is neither camera nor microphone
	DevicesRefused  Option = "devices refused"   // somebody always says no to a page that wants them
	AutoplayRefused Option = "autoplay refused"  // nothing sounds before somebody has touched the page
	AddressesHidden Option = "addresses hidden"  // a page's own addresses are names, of mDNS
	AnyCertificate  Option = "any certificate"   // those that nobody has signed are trusted
	NoomLANIsHere   Option = "noom.lan is here"  // the name noom.lan is that of the loopback address
	LoopbackIsANet  Option = "loopback is a net" // connections may go over the loopback interface
	SmoothCamera    Option = "smooth camera"     // it has 30 pictures a second, not 5
	FocusIsOurs     Option = "focus is ours"     // no other test's window takes it from the one that was typed in last
)

// always are the options that change nothing in a kind.
var always = map[Kind][]Option{
	Chromium: {LoopbackIsANet, FocusIsOurs}, // each of its windows has a focus of its own
}

// closingTakesLong bounds the wait for a browser that is stopped.
const closingTakesLong = 10 * time.Second

// engine is a browser that runs, with the pages of many tests in it.
type engine interface {
	profile(tb testing.TB) profile // a new one, which goes when the test ends
	gone() bool                    // because it crashed
	stop() error
}

// profile is cookies and storage of its own.
type profile interface {
	// open opens a blank page in a window of its own. The language is that of its person;
	// prepare is JavaScript that is run before a document's own. Each may be "".
	open(language, prepare string, console func(message)) (page, error)
}

// message is one that a page writes to its console.
type message struct {
	text string
	bad  bool // a warning, an error or an exception that nobody caught
}

// Browser is a profile of its own in a browser.
type Browser struct {
	tb       testing.TB
	kind     Kind
	profile  profile
	language string // of its person; "" for the one that the browser was started with
}

// shared are the browsers of all tests: to start one for each would take as long as what they do in it. The keys are
// made by [Kind.with].
var shared = struct {
	sync.Mutex
	running map[string]engine
}{running: make(map[string]engine)}

// Run runs a package's tests, then stops the browsers that they shared, and
// returns the exit code. A package whose tests call [Start] has it in its TestMain.
// Pages wait most of the time, so more tests run at once than there are processors,
// unless -parallel says otherwise; those of all packages together are bounded too. Of
// long ones no more run than may have a browser: what waits for its turn for too long
// goes on without one.
func Run(m *testing.M) (code int) {
	flag.Parse()
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		parallel := min(4*runtime.GOMAXPROCS(0), 12)
		if longtest.Asked() {
			parallel = most()
		}
		_ = n.Value.Set(strconv.Itoa(parallel)) // a number
	}
	code = m.Run()
	shared.Lock()
	defer shared.Unlock()
	for which, browser := range shared.running {
		if err := browser.stop(); err != nil {
			fmt.Fprintf(os.Stderr, "closing %s: %v\n", which, err)
		}
	}
	return code
}

// Start is Chromium.Start.
func Start(tb testing.TB, options ...Option) *Browser {
	tb.Helper()
	return Chromium.Start(tb, options...)
}

// Start returns a profile of the test's own, which goes when the test ends, in a
// browser that others use too, unless the focus is to be the test's.
func (k Kind) Start(tb testing.TB, options ...Option) *Browser {
	tb.Helper()
	takeTurn(tb)
	options = slices.DeleteFunc(slices.Clone(options), func(o Option) bool { return slices.Contains(always[k], o) })
	if !slices.Contains(options, FocusIsOurs) {
		return &Browser{tb: tb, kind: k, profile: k.running(tb, options).profile(tb)}
	}
	own := k.launch(tb, options)
	tb.Cleanup(func() {
		if err := own.stop(); err != nil {
			tb.Logf("closing %s: %v", k, err)
		}
	})
	return &Browser{tb: tb, kind: k, profile: own.profile(tb)}
}

// running returns the shared browser with these options, started if there is none, or none any longer.
func (k Kind) running(tb testing.TB, options []Option) engine {
	tb.Helper()
	which := k.with(options)
	shared.Lock()
	defer shared.Unlock()
	if browser, ok := shared.running[which]; ok {
		if !browser.gone() {
			return browser
		}
		tb.Logf("the %s of the tests before is gone", which)
		_ = browser.stop() // what is left of it
		delete(shared.running, which)
	}
	shared.running[which] = k.launch(tb, options)
	return shared.running[which]
}

// with names a kind with options.
func (k Kind) with(options []Option) string {
	return fmt.Sprintf("%s%q", k, slices.Sorted(slices.Values(options)))
}

func (k Kind) launch(tb testing.TB, options []Option) engine {
	tb.Helper()
	if k == Firefox {
		return launchFirefox(tb, options)
	}
	return launchChromium(tb, options)
}

// Kind returns which kind of browser it is.
func (b *Browser) Kind() Kind { return b.kind }

// In makes the pages that are opened from now on those of somebody who reads that
// language, such as "ko", and returns b.
func (b *Browser) In(language string) *Browser {
	b.language = language
	return b
}

// Without skips a test that lacks a program, loudly, or fails it.
func Without(tb testing.TB, message string) {
	tb.Helper()
	if os.Getenv("NOOM_BROWSER") == "required" {
		tb.Fatal(message)
	}
	fmt.Fprintln(os.Stderr, message)
	tb.Skip(message)
}
