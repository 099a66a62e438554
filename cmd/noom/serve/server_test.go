package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"noom"
	"noom/cmd/noom/command"
	"noom/examples/browser-server/page"
	"noom/signal/hub"
	"noom/transport/ws"
)

func get(t *testing.T, url string) (status int, header http.Header, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // all is read
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(all)
}

func TestFiles(t *testing.T) {
	server := serveHere(t)
	for path, want := range map[string]string{
		"/":               "text/html; charset=utf-8",
		"/page.js":        "text/javascript; charset=utf-8",
		"/style.css":      "text/css; charset=utf-8",
		"/icon.svg":       "image/svg+xml",
		"/icon-192.png":   "image/png",
		"/noom/noom.js":   "text/javascript; charset=utf-8",
		"/noom/link.js":   "text/javascript; charset=utf-8",
		"/index.html":     "",
		"/page/":          "",
		"/noom/":          "",
		"/noom":           "",
		"/files.go":       "",
		"/package.json":   "",
		"/main.go":        "",
		"/noom/test/":     "",
		"/noom/README.md": "",
		"/noom/../go.mod": "",
		"/%2e%2e/go.mod":  "",
		"/.git/config":    "",
	} {
		status, header, body := get(t, server+path)
		if want == "" {
			if status == http.StatusOK {
				t.Errorf("%s is served", path)
			}
			continue
		}
		if status != http.StatusOK || header.Get("Content-Type") != want || body == "" {
			t.Errorf("%s: %d, %s, %d bytes", path, status, header.Get("Content-Type"), len(body))
		}
	}
}

func TestHeaders(t *testing.T) {
	server := serveHere(t)
	for path, ancestors := range map[string]string{"/": "'none'", "/?selftest=1": "'self'"} {
		_, header, _ := get(t, server+path)
		if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, "; frame-ancestors "+ancestors+";") {
			t.Errorf("%s: Content-Security-Policy: %s", path, policy)
		}
	}
	for _, path := range []string{"/", "/noom/noom.js", "/nothing"} {
		_, header, _ := get(t, server+path)
		policy := header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: Content-Security-Policy: %s", path, policy)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "same-origin",
			"Permissions-Policy":     "camera=(self), microphone=(self), display-capture=(self)",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

// The end of the program is a goodbye to everyone, also with a list of rooms
// being watched.
func TestGoodbye(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	gauges, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		served <- serveHub(ctx, listener, gauges, nil, hub.New(nil), func(h *hub.Hub) http.Handler {
			return Handler(page.Files, h, ws.AcceptOptions{})
		}, goodbye)
	}()
	server := "127.0.0.1:" + strings.TrimPrefix(listener.Addr().String(), "127.0.0.1:")

	room, err := noom.Join(t.Context(), ws.Dialer{URL: "ws://" + server + "/ws"}, "데모", &noom.Config{Name: "지우"})
	if err != nil {
		t.Fatal(err)
	}
	watch, err := net.Dial("tcp", server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Close() }() // the server has
	if _, err := io.WriteString(watch, "GET /rooms HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	list := make([]byte, 4096)
	for got := ""; !strings.Contains(got, `[{"name":"데모","members":1}]`); {
		n, err := watch.Read(list)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got += string(list[:n])
	}
	if status, _, body := get(t, "http://"+gauges.Addr().String()+"/metrics"); status != http.StatusOK || !strings.Contains(body, "\nnoom_hub_members 1\n") {
		t.Errorf("metrics: %d\n%s", status, body)
	}
	if status, _, _ := get(t, "http://"+server+"/metrics"); status == http.StatusOK {
		t.Error("the metrics are where everyone can read them")
	}
	cancel()
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute): // which is a hang
		t.Fatal("it does not end")
	}
	for e := range room.Events(t.Context()) {
		if lost, ok := e.(noom.SignalingLost); ok {
			if !strings.Contains(lost.Err.Error(), "the hub restarts") {
				t.Errorf("the member got %v, want that it may come back", lost.Err)
			}
			break
		}
	}
	_ = room.Leave(t.Context())
}

func TestRefusals(t *testing.T) {
	busy, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }() // nothing to lose
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-addr", busy.Addr().String()}, 1, "another program uses that port"},
		{[]string{"-addr", "nonsense"}, 1, "cannot listen on nonsense: address nonsense: missing port"},
		{[]string{"-port", "80"}, 2, "there is no flag -port"},
		{[]string{"demo"}, 2, `unexpected argument "demo"`},
		{[]string{"-turn", "turn.example.com:3478"}, 2, "-turn turn.example.com:3478: want IP:PORT"},
		{[]string{"-turn", "203.0.113.7"}, 2, "want IP:PORT"},
		{[]string{"-turn", ":3478"}, 2, "want IP:PORT"},
		{[]string{"-turn", "0.0.0.0:3478"}, 2, "members cannot reach that"},
		{[]string{"-turn", "[::]:3478"}, 2, "members cannot reach that"},
		{[]string{"-turn", "[fe80::1%eth0]:3478"}, 2, "an address with a zone"},
		{[]string{"-tls-self-signed", "-tls-cert", "x"}, 2, "leave -tls-cert and -tls-key out"},
		{[]string{"-tls-self-signed", "-tls-key", "x"}, 2, "leave -tls-cert and -tls-key out"},
		{[]string{"-tls-cert", "x"}, 2, "-tls-cert needs the -tls-key"},
		{[]string{"-tls-key", "x"}, 2, "-tls-key needs the -tls-cert"},
		{[]string{"-addr", "127.0.0.1:0", "-tls-cert", "no.pem", "-tls-key", "no.key"}, 1, "-tls-cert no.pem, -tls-key no.key: open no.pem: no such file"},
		{[]string{"-hosts", "call.example,,localhost"}, 2, "-hosts call.example,,localhost: \"\" is not a host"},
		{[]string{"-hosts", "https://call.example"}, 2, "want names as they stand in URLs"},
		{[]string{"-origins", "[", "-addr", "127.0.0.1:0"}, 2, "is neither a host nor a pattern of one"},
		{[]string{"-origins", "a.example,,b.example"}, 2, "is neither a host nor a pattern of one"},
		{[]string{"-addr", "127.0.0.1:0", "-token-key", "no.pem"}, 1, "-token-key: open no.pem: no such file"},
		{[]string{"-addr", "127.0.0.1:0", "-token-key", "run_test.go"}, 1, "-token-key run_test.go: token: neither PEM nor base64"},
		{[]string{"-turn", "tls"}, 2, "-turn tls needs https"},
		{[]string{"-http", ":80"}, 2, "-http leads to https, which needs -domain"},
		{[]string{"-domain", "call.example", "-tls-self-signed"}, 2, "leave -tls-self-signed and -tls-cert out"},
		{[]string{"-domain", "localhost"}, 2, "-domain: \"localhost\" is not a domain"},
		{[]string{"-domain", "call.example, other.example"}, 2, "-domain: \" other.example\" is not a domain"},
		{[]string{"-domain", "*.call.example"}, 2, "is not a domain"},
		{[]string{"-domain", "a_b.example.com"}, 2, "-domain: \"a_b.example.com\" is not a domain"},
		{[]string{"-domain", "call.example:443"}, 2, "is not a domain"},
		{[]string{"-domain", "call..example"}, 2, "is not a domain"},
		{[]string{"-domain", "call.example,"}, 2, "-domain: \"\" is not a domain"},
		{[]string{"-domain", "203.0.113.7"}, 2, "is not a domain"},
		{[]string{"-acme", "https://acme.example/dir"}, 2, "are about -domain, which is not given"},
		{[]string{"-addr", "127.0.0.1:0", "-domain", "call.example", "-domain-cache", "run_test.go"}, 1, "-domain: certificates cannot be kept: mkdir run_test.go: not a directory; name another folder with -domain-cache"},
		{[]string{"-addr", "127.0.0.1:0", "-tls-self-signed", "-http", busy.Addr().String()}, 1, "cannot listen on " + busy.Addr().String() + " for -http: another program"},
		{[]string{"-nats-optional"}, 2, "-nats-optional is about -nats, which is not given"},
		{[]string{"-nats", "embed"}, 2, "-nats embed needs -cluster-listen"},
		{[]string{"-nats", "nats://127.0.0.1:1", "-cluster", "127.0.0.1:2"}, 2, "are about -nats embed"},
		{[]string{"-nats", "embed", "-cluster", "a.example"}, 2, "-cluster a.example: want HOST:PORT"},
		{[]string{"-addr", "127.0.0.1:0", "-nats", "nats://127.0.0.1:1"}, 1, "with -nats-optional the hub begins alone"},
		{[]string{"-addr", "127.0.0.1:0", "-nats", "http://127.0.0.1:1"}, 1, "which is neither nats nor tls"},
		{[]string{"-addr", "127.0.0.1:0", "-nats", "embed", "-cluster-listen", "127.0.0.1:0", "-cluster-secret", "no.secret"}, 1, "no.secret: no such file"},
		{[]string{"-turn-everywhere"}, 2, "-turn-everywhere is about -turn, which is not given"},
		{[]string{"-addr", "127.0.0.1:0", "-turn", busy.Addr().String()}, 1, "-turn: cannot listen on " + busy.Addr().String() + ": another program uses that port"},
	} {
		var stdout, stderr strings.Builder
		if code := program.Run(t.Context(), test.args, command.Streams{Out: &stdout, Err: &stderr}); code != test.code {
			t.Errorf("%v: exit code %d, want %d", test.args, code, test.code)
		}
		line := stderr.String()
		if !strings.Contains(line, test.says) || strings.Count(line, "\n") != 1 || stdout.Len() > 0 {
			t.Errorf("%v: said %q and %q, want one line with %q", test.args, line, stdout.String(), test.says)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := program.Run(t.Context(), []string{"-help"}, command.Streams{Out: &stdout, Err: &stderr}); code != 0 || !strings.Contains(stdout.String(), "-addr") || stderr.Len() > 0 {
		t.Errorf("exit code %d, said %q and %q", code, stdout.String(), stderr.String())
	}
}

func TestAddress(t *testing.T) {
	for wanted, want := range map[string]string{
		":8080":          "http://localhost:8080",
		"0.0.0.0:8080":   "http://localhost:8080",
		"[::]:8080":      "http://localhost:8080",
		"localhost:8080": "http://localhost:8080",
		"127.0.0.1:0":    "http://127.0.0.1:8080",
	} {
		if got := address("http", &net.TCPAddr{Port: 8080}, wanted); got != want {
			t.Errorf("%s: %s, want %s", wanted, got, want)
		}
	}
	if got := address("http", &net.TCPAddr{Port: 80}, ":80"); got != "http://localhost" {
		t.Errorf(":80: %s", got)
	}
	if got := address("https", &net.TCPAddr{Port: 443}, ":443"); got != "https://localhost" {
		t.Errorf(":443: %s", got)
	}
}

// askFor gets a path by a name that need not lead here.
func askFor(t *testing.T, server, host, path string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // all that counts is read
	start := make([]byte, 300)
	n, _ := io.ReadFull(response.Body, start)
	return response.StatusCode, string(start[:n])
}

// Without a flag it goes by the names that the machine knows of itself, so that neither a page
// whose foreign name was pointed here reads anything, nor another hub uses its members' proofs.
// With one it goes by those names alone.
func TestOwnNames(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		flags    []string
		own, not []string // PORT is where it listens
	}{
		{
			nil,
			[]string{"127.0.0.1:PORT", "localhost:PORT", "LOCALHOST", name + ":PORT", name + ".local"},
			[]string{"evil.example:PORT", "127.0.0.2:PORT", "localhost:9", "192.0.2.7:PORT", "localhost.evil.example:PORT"},
		},
		{
			[]string{"-hosts", "call.example,other.example:8443"},
			[]string{"call.example", "call.example:443", "call.example:PORT", "other.example:8443"},
			[]string{"localhost:PORT", "127.0.0.1:PORT", "other.example:PORT", "evil.example"},
		},
		{[]string{"-hosts", "*"}, []string{"evil.example:9"}, nil},
	} {
		server := serveHere(t, test.flags...)
		port := server[strings.LastIndexByte(server, ':')+1:]
		for _, path := range []string{"/", "/noom/noom.js", "/ws"} {
			for _, host := range test.own {
				if status, body := askFor(t, server, strings.ReplaceAll(host, "PORT", port), path); status == http.StatusMisdirectedRequest {
					t.Errorf("%v: %s of %s: %d %s", test.flags, path, host, status, body)
				}
			}
			for _, host := range test.not {
				status, body := askFor(t, server, strings.ReplaceAll(host, "PORT", port), path)
				if status != http.StatusMisdirectedRequest || !strings.Contains(body, "-hosts") {
					t.Errorf("%v: %s of %s: %d %s", test.flags, path, host, status, body)
				}
			}
		}
	}
}

func TestOwnHostsOfCertificate(t *testing.T) {
	pair, err := selfSigned([]netip.Addr{netip.MustParseAddr("192.0.2.7")}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair.Leaf.DNSNames = append(pair.Leaf.DNSNames, "*.call.example")
	hosts := ownHosts("noom.lan:8443", pair.Leaf)
	for _, want := range []string{"localhost", ws.OwnAddress, "noom.lan", "192.0.2.7", "*.call.example"} {
		if !slices.Contains(hosts, want) {
			t.Errorf("no %s in %q", want, hosts)
		}
	}
}

// Unless it is asked to, it lets nobody in from the network, and it says who can reach it.
func TestReach(t *testing.T) {
	o, err := parse(nil)
	if err != nil || o.addr != "localhost:8080" {
		t.Errorf("it listens on %s by default, %v", o.addr, err)
	}
	local, err := listenOn(t.Context(), "localhost:0", "")
	if err != nil {
		t.Fatal(err)
	}
	_ = local.Close() // never fails
	if at := local.Addr().(*net.TCPAddr); !at.IP.IsLoopback() {
		t.Errorf("localhost is %v", at)
	}
	for _, test := range []struct {
		at     string
		secure bool
		want   string
	}{
		{"127.0.0.1:8080", false, "only this machine can reach it; -addr :8080 lets"},
		{"[::1]:8443", true, "only this machine can reach it; -addr :8443 lets"},
		{"[::]:8080", false, "the network around this machine can reach it too, but over plain http"},
		{"192.168.1.5:8443", true, "the network around this machine can reach it too"},
	} {
		if got := reach(addrPort(test.at), test.secure); !strings.HasPrefix(got, test.want) || test.secure && strings.Contains(got, "plain") {
			t.Errorf("%s: %q, want %q", test.at, got, test.want)
		}
	}
	var out strings.Builder
	f := &front{options: &options{addr: ":8080"}, listener: listenOnPort("8080")}
	f.announce(&out)
	if !strings.HasPrefix(out.String(), "noom is at http://localhost:8080\n   the network around this machine can reach it too, ") {
		t.Errorf("it says %q", out.String())
	}
}

// A URL without a path finds the hub, and the page.
func TestWithoutPath(t *testing.T) {
	server := serveHere(t)
	for _, url := range []string{server, server + "/"} {
		room, err := noom.Join(t.Context(), ws.Dialer{URL: url}, "데모", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = room.Leave(t.Context()) // it is only about coming in
		if status, header, _ := get(t, url); status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d, %s", url, status, header.Get("Content-Type"))
		}
		if got, want := post(t, url), post(t, server+"/ws"); got != want || want != http.StatusBadRequest {
			t.Errorf("%s answers what is no bye with %d, and /ws with %d", url, got, want)
		}
	}
}

// post posts what no hub takes, and returns the answer's status.
func post(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("안녕"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // only the status counts
	return response.StatusCode
}

// A browser asks for few files, keeps those that cannot change, and gets the modules one by one if they make no whole.
func TestPageIsFewFiles(t *testing.T) {
	server := httptest.NewServer(Handler(page.Files, hub.New(nil), ws.AcceptOptions{}))
	t.Cleanup(server.Close)
	status, header, module := get(t, server.URL+"/page.js")
	if status != http.StatusOK || header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(header.Get("Content-Type"), "text/javascript") {
		t.Errorf("page.js: %d %v", status, header)
	}
	shared := regexp.MustCompile(`from"\./(chunk-\w+\.js)"`).FindAllStringSubmatch(module, -1)
	if len(shared) == 0 || len(shared) > 3 || strings.Contains(module, "noom/noom.js") {
		t.Fatalf("page.js imports %q", shared)
	}
	for _, chunk := range shared {
		if status, kept, _ := get(t, server.URL+"/"+chunk[1]); status != http.StatusOK || !strings.Contains(kept.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", chunk[1], status, kept)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/page.js", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("If-None-Match", header.Get("ETag"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // it is empty
	if response.StatusCode != http.StatusNotModified {
		t.Errorf("page.js again: %s", response.Status)
	}

	own := fstest.MapFS{"index.html": {Data: []byte("<p>데모")}, "page.js": {Data: []byte("import './none.js'")}, "folder/x": {}}
	broken := httptest.NewServer(Handler(own, hub.New(nil), ws.AcceptOptions{}))
	t.Cleanup(broken.Close)
	for path, want := range map[string]string{"/": "<p>데모", "/page.js": "import './none.js'", "/noom/noom.js": "export"} {
		if status, _, body := get(t, broken.URL+path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s of a page that is no whole: %d %s", path, status, body)
		}
	}
}
