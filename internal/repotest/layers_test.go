package repotest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers says what each package may import beside the standard library. It is
// the picture in ARCHITECTURE.md: imports point downwards only, and each big
// dependency has its place. A name that ends in / stands for all below it.
var layers = map[string][]string{
	"noom": {
		"noom/signal", "noom/internal/allocate", "noom/internal/chat", "noom/internal/connection", "noom/internal/conduct", "noom/internal/data", "noom/internal/diagnose", "noom/internal/engine", "noom/internal/fanout", "noom/internal/fault",
		"noom/internal/fifo", "noom/internal/files", "noom/internal/iceservers", "noom/internal/inbound", "noom/internal/link", "noom/internal/mailbox", "noom/internal/netwatch", "noom/internal/packet", "noom/internal/payloads",
		"noom/internal/quality", "noom/internal/questions", "noom/internal/recovery", "noom/internal/speaker", "noom/internal/state", "noom/internal/uplink", "github.com/pion/", "golang.org/x/time/",
	},

	"noom/internal/bandwidth": {},
	"noom/internal/conduct":   {"noom/internal/data", "noom/internal/engine", "noom/internal/fault", "noom/signal", "github.com/pion/", "golang.org/x/time/rate"},
	"noom/internal/chat":      {"noom/signal", "github.com/go-json-experiment/json/", "golang.org/x/crypto/cryptobyte"},
	"noom/internal/connection": {
		"noom/internal/conduct", "noom/internal/data", "noom/internal/diagnose", "noom/internal/exchange", "noom/internal/fanout", "noom/internal/fault", "noom/internal/iceservers",
		"noom/internal/inbound", "noom/internal/mailbox", "noom/internal/negotiate", "noom/internal/packet", "noom/internal/payloads", "noom/internal/quality", "noom/internal/recovery", "noom/internal/repair", "noom/internal/traffic", "noom/signal", "github.com/pion/",
	},
	"noom/internal/link": {
		"noom/internal/bandwidth", "noom/internal/conduct", "noom/internal/connection", "noom/internal/data", "noom/internal/diagnose", "noom/internal/exchange", "noom/internal/fanout", "noom/internal/fault",
		"noom/internal/frames", "noom/internal/iceservers", "noom/internal/inbound", "noom/internal/mailbox", "noom/internal/negotiate", "noom/internal/payloads", "noom/internal/quality", "noom/internal/recovery", "noom/internal/repair", "noom/internal/traffic", "noom/signal",
		"github.com/pion/webrtc/v4",
	},
	"noom/internal/allocate":     {},
	"noom/internal/diagnose":     {},
	"noom/internal/entrance":     {"noom/signal"},
	"noom/internal/engine":       {"noom/internal/packet", "noom/internal/repair", "noom/internal/reports", "noom/internal/traffic", "github.com/pion/"},
	"noom/internal/exchange":     {},
	"noom/internal/iceservers":   {"noom/internal/mailbox", "noom/signal", "github.com/pion/"},
	"noom/internal/negotiate":    {},
	"noom/internal/ownership":    {"noom/internal/rendezvous", "github.com/go-json-experiment/json/"},
	"noom/internal/rendezvous":   {},
	"noom/internal/netwatch":     {"github.com/pion/transport/v5/netchange"},
	"noom/internal/quality":      {},
	"noom/internal/questions":    {},
	"noom/internal/recovery":     {},
	"noom/internal/reports":      {"noom/internal/alarm", "noom/internal/packet", "github.com/pion/"},
	"noom/internal/repair":       {"noom/internal/alarm", "noom/internal/packet", "github.com/pion/"},
	"noom/internal/traffic":      {"noom/internal/alarm", "noom/internal/bandwidth", "noom/internal/packet", "github.com/pion/"},
	"noom/internal/speaker":      {},
	"noom/internal/state":        {"noom/internal/fault", "noom/signal", "github.com/go-json-experiment/json/", "golang.org/x/crypto/cryptobyte"},
	"noom/internal/fault":        {},
	"noom/internal/fifo":         {},
	"noom/internal/files":        {"noom/signal"},
	"noom/internal/frames":       {"noom/internal/exchange", "noom/internal/fault", "noom/internal/mailbox", "noom/signal"},
	"noom/internal/mailbox":      {},
	"noom/internal/alarm":        {},
	"noom/internal/packet":       {"noom/internal/fault", "noom/internal/speaker", "github.com/pion/"},
	"noom/internal/payloads":     {"noom/internal/fault", "noom/internal/packet", "github.com/pion/"},
	"noom/internal/fanout":       {"noom/internal/fault", "noom/internal/packet", "noom/internal/repair", "noom/internal/speaker", "github.com/pion/", "golang.org/x/time/rate"},
	"noom/internal/mediatest":    {"noom/internal/engine", "noom/internal/speaker", "github.com/pion/"},
	"noom/internal/data":         {"noom/internal/fault", "noom/internal/fifo", "noom/internal/questions", "noom/signal", "github.com/pion/"},
	"noom/internal/inbound":      {"noom/internal/fault", "noom/internal/packet", "noom/internal/speaker", "noom/signal", "github.com/pion/"},
	"noom/internal/uplink":       {"noom/internal/fault", "noom/signal", "golang.org/x/time/rate"},
	"noom/internal/lyinghub":     {"noom/signal"},
	"noom/internal/conversation": {"noom/signal", "github.com/pion/webrtc/v4"},
	"noom/internal/pairtest":     {"noom/internal/exchange", "noom/internal/negotiate", "noom/internal/recovery"},

	"noom/signal":     {"noom/internal/rendezvous", "github.com/go-json-experiment/json/", "golang.org/x/net/idna", "golang.org/x/text/"},
	"noom/signal/hub": {"noom/internal/ownership", "noom/signal", "github.com/go-json-experiment/json/", "golang.org/x/text/", "golang.org/x/time/"},

	"noom/signal/hub/token":   {"noom/signal", "noom/signal/hub", "github.com/golang-jwt/jwt/v5"},
	"noom/signal/hub/metrics": {"noom/signal/hub", "github.com/prometheus/client_golang/"},

	"noom/cmd/noom":         {"noom/cmd/noom/", "noom/examples/browser-server/page", "noom/transport/ws"},
	"noom/cmd/noom/command": {"noom/signal"},
	"noom/cmd/noom/call":    {"noom", "noom/cmd/noom/command", "noom/internal/entrance", "noom/signal", "noom/transport/auto", "github.com/pion/"},
	"noom/cmd/noom/join":    {"noom", "noom/cmd/noom/call", "noom/cmd/noom/command", "noom/media/", "noom/signal", "github.com/pion/"},
	"noom/cmd/noom/record":  {"noom", "noom/cmd/noom/call", "noom/cmd/noom/command", "noom/media", "noom/signal"},
	"noom/cmd/noom/diagnose": {
		"noom", "noom/cmd/noom/call", "noom/cmd/noom/command", "noom/internal/diagnose", "noom/internal/entrance", "noom/internal/iceservers",
		"noom/signal", "noom/transport/auto", "noom/transport/http", "noom/transport/ws", "github.com/pion/",
	},
	"noom/cmd/noom/serve": {"noom/browser", "noom/cmd/noom/command", "noom/internal/bundle", "noom/internal/entrance", "noom/signal/", "noom/transport/", "noom/turn", "github.com/mdp/qrterminal/v3", "github.com/prometheus/client_golang/", "golang.org/x/crypto/acme/"},
	"noom/cmd/noom/token": {"noom/cmd/noom/command", "noom/signal", "noom/signal/hub/token"},

	"noom/transport/mem":           {"noom/signal"},
	"noom/transport/auto":          {"noom/internal/entrance", "noom/signal", "noom/transport/http", "noom/transport/ws"},
	"noom/transport/http":          {"noom/internal/entrance", "noom/signal", "noom/transport/ws"},
	"noom/transport/nats":          {"github.com/nats-io/nats.go"},
	"noom/transport/nats/embed":    {"noom/transport/nats", "github.com/nats-io/nats-server/v2/server"},
	"noom/transport/ws":            {"noom/internal/entrance", "noom/signal", "github.com/coder/websocket/", "github.com/gobwas/ws/"},
	"noom/transport/transporttest": {"noom/signal"},

	"noom/bot": {"noom", "noom/internal/uplink", "noom/signal", "noom/transport/auto", "github.com/pion/webrtc/v4"},

	"noom/turn": {"noom/signal", "github.com/pion/", "golang.org/x/time/rate"},

	"noom/media":         {"github.com/Eyevinn/mp4ff/mp4", "github.com/pion/", "golang.org/x/image/vp8"},
	"noom/media/capture": {"github.com/pion/", "noom", "noom/media"},
	"noom/media/voice":   {"github.com/pion/", "github.com/thesyncim/gopus", "noom"},

	"noom/noomtest":            {"noom", "noom/internal/conduct", "noom/internal/connection", "noom/signal", "noom/signal/hub", "noom/transport/mem", "noom/noomtest/transcript", "github.com/pion/"},
	"noom/noomtest/transcript": {"noom", "noom/signal"},

	"noom/docs/pion":            {},
	"noom/browser":              {},
	"noom/internal/browsertest": {"noom/internal/longtest", "github.com/chromedp/", "github.com/coder/websocket/"},
	"noom/internal/endurance":   {},
	"noom/internal/bundle":      {"github.com/evanw/esbuild/"},
	"noom/internal/commandtest": {"noom/cmd/noom/command"},
	"noom/internal/webtest":     {"noom", "noom/signal", "noom/signal/hub", "noom/transport/transporttest"},
	"noom/internal/longtest":    {},
	"noom/internal/repotest":    {},
	"noom/internal/ffmpegtest":  {},
	"noom/internal/xvfbtest":    {},
	"noom/examples/":            {"noom/", "github.com/pion/", "golang.org/x/time/"},
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags", "capture", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages, own := 0, modulePath(t)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for i, path := range fields {
			if inside, found := strings.CutPrefix(path+"/", own+"/"); found { // whatever path a fork has
				fields[i] = strings.TrimSuffix("noom/"+inside, "/")
			}
		}
		pkg, imports := fields[0], fields[1:]
		packages++
		allowed, ok := layers[pkg]
		if !ok && strings.HasPrefix(pkg, "noom/examples/") {
			allowed, ok = layers["noom/examples/"], true
		}
		if !ok {
			t.Errorf("%s is in no layer: add it to the table above and to ARCHITECTURE.md", pkg)
		}
		for _, path := range imports {
			first, _, _ := strings.Cut(path, "/")
			standard := first != "noom" && !strings.Contains(first, ".")
			if !standard && path != "C" && !slices.ContainsFunc(allowed, func(a string) bool { return covers(a, path) }) {
				t.Errorf("%s must not import %s", pkg, path)
			}
		}
	}
	if packages < len(layers)/2 {
		t.Fatalf("go list found only %d packages", packages)
	}
}

func covers(allowed, path string) bool {
	return path == strings.TrimSuffix(allowed, "/") || strings.HasSuffix(allowed, "/") && strings.HasPrefix(path, allowed)
}
