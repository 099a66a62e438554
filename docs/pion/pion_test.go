// Package pion has a test for each item of docs/pion.md that can be shown. A test asserts what pion does wrong, and
// fails once pion does it right, because something in noom can be removed then. Nothing here needs noom, so that a test
// can be sent to pion together with its item.
package pion

import (
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v5/vnet"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stillWrong fails the test if pion does right what it shows. An empty workaround says that noom has none.
func stillWrong(t *testing.T, wrong bool, workaround string) {
	t.Helper()
	switch {
	case wrong:
	case workaround == "":
		t.Error("pion has mended this: remove the item in docs/pion.md")
	default:
		t.Errorf("pion has mended this: remove the workaround in %s, and the item in docs/pion.md", workaround)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quiet drops what pion logs.
func quiet() logging.LoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel = logging.LogLevelDisabled
	return f
}

// newNetwork starts a network with hosts that have these addresses. Each packet takes delay.
func newNetwork(t *testing.T, delay time.Duration, addresses ...string) (*vnet.Router, []*vnet.Net) {
	t.Helper()
	router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "10.0.0.0/24", MinDelay: delay, LoggerFactory: quiet()})
	must(t, err)
	var hosts []*vnet.Net
	for _, address := range addresses {
		host, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{address}})
		must(t, err)
		must(t, router.AddNet(host))
		hosts = append(hosts, host)
	}
	must(t, router.Start())
	t.Cleanup(func() { must(t, router.Stop()) })
	return router, hosts
}

var (
	testName = regexp.MustCompile(`(?m)^func (Test[A-Z]\w+)\(t \*testing\.T\)`)
	mention  = regexp.MustCompile("`(Test\\w+)`")
	chapter  = regexp.MustCompile(`(?m)^## github\.com/pion/(\w+) (v\S+)$`)
)

// TestVersions: docs/pion.md is about the versions of go.mod. After an upgrade, look whether its items are still true.
func TestVersions(t *testing.T) {
	page, err := os.ReadFile("../pion.md")
	must(t, err)
	gomod, err := os.ReadFile("../../go.mod")
	must(t, err)
	chapters := chapter.FindAllSubmatch(page, -1)
	if len(chapters) < 4 {
		t.Fatalf("docs/pion.md has the chapters %q", chapters)
	}
	for _, match := range chapters {
		required := regexp.MustCompile(`(?m)^\tgithub\.com/pion/` + string(match[1]) + `(/v\d+)? (v\S+)$`).FindSubmatch(gomod)
		if required == nil || string(required[2]) != string(match[2]) {
			t.Errorf("docs/pion.md has a chapter about %s %s, and go.mod requires %q", match[1], match[2], required)
		}
	}
}

// TestItems: docs/pion.md names each test of this folder, and no others.
func TestItems(t *testing.T) {
	page, err := os.ReadFile("../pion.md")
	must(t, err)
	var have, named []string
	for _, file := range []string{"ice_test.go", "interceptor_test.go", "negotiation_test.go", "peers_test.go", "turn_test.go"} {
		source, err := os.ReadFile(file)
		must(t, err)
		for _, match := range testName.FindAllSubmatch(source, -1) {
			have = append(have, string(match[1]))
		}
	}
	for _, match := range mention.FindAllSubmatch(page, -1) {
		named = append(named, string(match[1]))
	}
	slices.Sort(have)
	slices.Sort(named)
	if named = slices.Compact(named); len(have) == 0 || !slices.Equal(have, named) {
		t.Errorf("the tests are\n%q, and docs/pion.md names\n%q", have, named)
	}
}
