package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"noom/internal/longtest"
)

// Pages use the processor for as long as they are open. If too many are, each test takes longer, so that pages are open
// for longer, and so on: with twelve tests at once on two cores, some took thirty times as long as alone. Go's own bound
// is one for each package, so there is another one here, for all packages of a machine.

// most is how many tests with browsers run at once. The long ones are mostly of Firefox, of which two pages that show each
// other take half of two cores: with five such tests a page waited for the hub's answer for 5 s in vain, with three for
// minutes if the machine was not quite free.
func most() int {
	if longtest.Asked() {
		return min(max(runtime.GOMAXPROCS(0), 2), 6)
	}
	return min(5*runtime.GOMAXPROCS(0)/2, 10)
}

// turnPatience is how long a test waits for its turn. A test that has one may wait for others of its own.
const turnPatience = 3 * time.Minute

// turns are the tests of this process that have theirs.
var turns = struct {
	sync.Mutex
	taken map[testing.TB]bool
}{taken: make(map[testing.TB]bool)}

// takeTurn waits until few enough other tests have browsers. The turn ends with the test.
func takeTurn(tb testing.TB) {
	tb.Helper()
	turns.Lock()
	has := turns.taken[tb]
	turns.taken[tb] = true
	turns.Unlock()
	if has {
		return
	}
	tb.Cleanup(func() {
		turns.Lock()
		defer turns.Unlock()
		delete(turns.taken, tb)
	})
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("noom-turns-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Logf("tests with browsers are not bounded: %v", err)
		return
	}
	for end := time.Now().Add(turnPatience); time.Now().Before(end); <-time.After(100 * time.Millisecond) {
		for i := range most() {
			file, err := lockFile(filepath.Join(dir, strconv.Itoa(i)))
			if err != nil {
				tb.Logf("tests with browsers are not bounded: %v", err)
				return
			}
			if file != nil {
				tb.Cleanup(func() { _ = file.Close() }) // nothing is in it
				return
			}
		}
	}
}
