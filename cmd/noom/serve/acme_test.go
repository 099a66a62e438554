package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/acme"

	"noom/signal"
	"noom/turn"
)

// Why there is no certificate: internal/acmetest asks a real ACME server, but not for all of it.
func TestProblemWatch(t *testing.T) {
	const invalid = `{"status":"invalid","challenges":[{"type":"tls-alpn-01","status":"invalid","error":` +
		`{"type":"urn:ietf:params:acme:error:connection","detail":"refused"}},{"type":"http-01"}]}`
	const pending = `{"status":"pending","challenges":[{"error":{"type":"urn:ietf:params:acme:error:dns","detail":"old"}}]}`
	rateLimited := &acme.Error{ProblemType: "urn:ietf:params:acme:error:rateLimited", Detail: "5 a week"}
	for _, test := range []struct {
		kind    string // of the answers
		answers []string
		err     error
		want    string
	}{
		{"application/json", []string{pending, invalid}, errors.New("none left"), "the ACME server does not reach this one; open port 443 or, with -http :80, port 80 (refused)"},
		{"application/json; charset=utf-8", []string{invalid, invalid}, errors.New("none left"), "the ACME server does not reach this one; open port 443 or, with -http :80, port 80 (refused)"},
		{"application/problem+json", nil, rateLimited, "it was asked too often; wait, and keep the folder -domain-cache between starts (5 a week)"},
		{"application/json", nil, &acme.Error{ProblemType: "urn:ietf:params:acme:error:new", Detail: "so"}, "so (new)"},
		{"text/html", []string{invalid}, errors.New("no such host"), "the ACME server cannot be asked: no such host"},
		{"application/json", []string{"", "[]", strings.Repeat("x", 2*mostAnswer)}, errors.New("no such host"), "the ACME server cannot be asked: no such host"},
	} {
		w := &problemWatch{inner: http.DefaultTransport}
		for _, answer := range test.answers {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.kind)
				_, _ = io.WriteString(w, answer) // the client compares it
			}))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := w.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			read, err := io.ReadAll(response.Body)
			if _ = response.Body.Close(); err != nil || string(read) != answer {
				t.Errorf("of %d bytes the client gets %d, %v", len(answer), len(read), err)
			}
			server.Close()
		}
		if got := w.explain(test.err); got != test.want {
			t.Errorf("%q: %q, want %q", test.answers, got, test.want)
		}
		if got := w.explain(errors.New("again")); got != "the ACME server cannot be asked: again" {
			t.Errorf("what has been said is said again: %q", got)
		}
	}
}

// However a domain is written, its name is the one that browsers ask for.
func TestDomains(t *testing.T) {
	for list, want := range map[string][]string{
		"call.example.com": {"call.example.com"}, "call.example.com.": {"call.example.com"}, "Call.Example.COM,b.example": {"call.example.com", "b.example"},
		"한국.example": {"xn--3e0b707e.example"}, "": nil,
	} {
		o, err := parse([]string{"-domain", list})
		if err != nil || !slices.Equal(o.tls.acme.domains, want) {
			t.Errorf("%s: %q, %v, want %q", list, o.tls.acme.domains, err, want)
		}
	}
}

// What is wrong with a certificate is said of each domain, and not at each visit; also that it grows
// old.
func TestCertificatesThatAreMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		i := &issuer{
			problems: new(problemWatch), reported: make(map[string]bool), complained: make(map[string]time.Time),
			report:   func(line string) { said = append(said, "good: "+line) },
			complain: func(line string) { said = append(said, "bad: "+line) },
		}
		until := time.Now().Add(60 * 24 * time.Hour)
		flown := &flight{certificate: &tls.Certificate{Leaf: &x509.Certificate{NotBefore: time.Now(), NotAfter: until}}}
		tell := func(domain string, f *flight, want string) {
			t.Helper()
			said = nil
			for range 3 {
				i.tell(domain, f)
			}
			if got := strings.Join(said, "\n"); !strings.Contains(got, want) || strings.Count(got, "\n") != 0 || (got == "") != (want == "") {
				t.Errorf("%s: said %q, want %q once", domain, got, want)
			}
		}
		failed := &flight{err: errors.New("no such host")}
		tell("a.example", failed, "bad: no certificate for a.example: the ACME server cannot be asked: no such host")
		tell("b.example", failed, "bad: no certificate for b.example")
		tell("a.example", flown, "good: the certificate for a.example is good until "+until.Format(time.DateOnly))
		time.Sleep(2 * time.Minute)
		tell("b.example", failed, "bad: no certificate for b.example")
		time.Sleep(49 * 24 * time.Hour)
		tell("a.example", flown, "")
		time.Sleep(2 * 24 * time.Hour)
		const old = "bad: the certificate for a.example is good until "
		tell("a.example", flown, old+until.Format(time.DateOnly)+" and could not be renewed: this machine must reach the ACME server")
		time.Sleep(time.Hour)
		tell("a.example", flown, "")
		time.Sleep(20 * 24 * time.Hour)
		i.problems.last = []acmeProblem{{Type: "urn:ietf:params:acme:error:caa", Detail: "no"}}
		tell("a.example", flown, old+until.Format(time.DateOnly)+" and could not be renewed: a CAA record")
	})
}

// Plain http leads to the page, but not to other hosts.
func TestRedirect(t *testing.T) {
	for _, test := range []struct{ port, url, want string }{
		{"443", "http://call.example/", "https://call.example/"},
		{"443", "http://call.example:8080/a%2Fb?c=d&e", "https://call.example/a%2Fb?c=d&e"},
		{"8443", "http://call.example/x", "https://call.example:8443/x"},
		{"443", "http://evil.example/", ""},
		{"443", "http://[2001:db8::7]/x", "https://[2001:db8::7]/x"},
		{"443", "http://[2001:db8::7]:8080/x", "https://[2001:db8::7]/x"},
		{"8443", "http://[2001:db8::7]/x", "https://[2001:db8::7]:8443/x"},
		{"8443", "http://mapped.example/x", "https://mapped.example/x"},
	} {
		f := front{options: &options{hosts: []string{"call.example", "[2001:db8::7]", "mapped.example:443"}}, listener: listenOnPort(test.port)}
		answer := httptest.NewRecorder()
		withoutPort(redirect(f.publicPort, f.names())).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, test.url, nil))
		if got := answer.Header().Get("Location"); got != test.want || (answer.Code == http.StatusFound) != (test.want != "") {
			t.Errorf("%s leads to %q (%d), want %q", test.url, got, answer.Code, test.want)
		}
	}
}

// A listeningOn is a listener on that port to which nobody comes.
type listeningOn struct {
	port  string
	ended chan struct{}
	once  *sync.Once
}

func listenOnPort(port string) listeningOn {
	return listeningOn{port, make(chan struct{}), new(sync.Once)}
}

func (l listeningOn) Accept() (net.Conn, error) {
	<-l.ended
	return nil, net.ErrClosed
}

func (l listeningOn) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}

func (l listeningOn) Addr() net.Addr { return addrPort("0.0.0.0:" + l.port) }

// Behind a router that passes port 443 on to another, members are told of 443.
func TestPortOfTheOutside(t *testing.T) {
	for _, test := range []struct {
		flags      []string
		page, turn string
	}{
		{[]string{"-domain", "call.example"}, "https://call.example:8443", "turns:call.example:8443?transport=tcp"},
		{[]string{"-domain", "call.example", "-hosts", "call.example"}, "https://call.example:8443", "turns:call.example:8443?transport=tcp"},
		{[]string{"-domain", "call.example", "-hosts", "b.example:9,Call.example:443"}, "https://call.example", "turns:call.example:443?transport=tcp"},
		{[]string{"-domain", "call.example", "-hosts", "call.example:444"}, "https://call.example:444", "turns:call.example:444?transport=tcp"},
	} {
		o, err := parse(append(test.flags, "-addr", ":8443"))
		if err != nil {
			t.Fatal(err)
		}
		f := &front{options: o, listener: listenOnPort("8443"), identity: &identity{config: new(tls.Config)}}
		var out strings.Builder
		f.tls.announce(&out, f.identity, f.listener.Addr(), f.addr, nil, f.publicPort)
		if got := strings.TrimSpace(out.String()); got != "noom is at "+test.page {
			t.Errorf("%v: %s, want %s", test.flags, got, test.page)
		}
		relays, err := turn.New(netip.MustParseAddr("127.0.0.1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.shareTURN(relays, relays.Address()); err != nil {
			t.Fatal(err)
		}
		if got := relays.ICEServers(t.Context(), signal.Member{ID: "지우"})[0].URLs[0]; got != test.turn {
			t.Errorf("%v: members learn %s, want %s", test.flags, got, test.turn)
		}
		_ = relays.Close()     // never fails
		_ = f.listener.Close() // never fails
	}
}
