package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"noom/signal"
)

// This file is the -domain flag: certificates from an ACME server (RFC 8555), such as Let's Encrypt,
// which first checks that the domain leads here: on the page's own port (tls-alpn-01, RFC 8737), or
// on port 80 (http-01) if -http is given.

// acmeOptions say for which domains, and from whom.
type acmeOptions struct {
	domains   []string
	cache     string // folder; empty: one in the user's cache
	directory string // the server's URL; empty: Let's Encrypt's
}

func (o *acmeOptions) wanted() bool { return len(o.domains) > 0 }

// check refuses what belongs to a domain that is not given.
func (o *acmeOptions) check() error {
	if !o.wanted() && o.cache+o.directory != "" {
		return errors.New("-domain-cache and -acme are about -domain, which is not given")
	}
	return nil
}

// aDomain is what a name may be that has a certificate (RFC 1123 section 2.1), with at most 253
// characters. The last label is no number, as that of an IP address is.
var aDomain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// domainList reads the list that -domain gives.
func domainList(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	domains := strings.Split(list, ",")
	for i, domain := range domains {
		name := signal.NormalHost(domain) // as browsers ask for it
		if strings.Contains(domain, ":") || len(name) > 253 || !aDomain.MatchString(name) {
			return nil, fmt.Errorf("-domain: %q is not a domain; want names such as call.example.com, with commas", domain)
		}
		domains[i] = name
	}
	return domains, nil
}

// An issuer has the certificates of domains. At most one question for each goes on at a time.
type issuer struct {
	manager  *autocert.Manager
	problems *problemWatch
	first    string            // of the domains
	report   func(line string) // is called when a domain has its first certificate
	complain func(line string) // is called when there is no certificate, or soon will be none; not at each visit

	mu         sync.Mutex
	flights    map[string]*flight // by domain
	reported   map[string]bool    // by domain
	complained map[string]time.Time
}

// How often it is said of a domain that it has no certificate, and that it has an old one.
const sayNone, sayOld = time.Minute, 6 * time.Hour

// flight is one question to the manager.
type flight struct {
	done        chan struct{}
	certificate *tls.Certificate // of which, and of err, done is the end
	err         error
}

// issuer opens the cache, where certificates outlive a restart.
func (o *acmeOptions) issuer(report, complain func(line string)) (*issuer, error) {
	dir := o.cache
	if dir == "" {
		own, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("-domain: no folder for certificates is known (%w); name one with -domain-cache", err)
		}
		dir = filepath.Join(own, "noom-browser-server")
	}
	if err := writable(dir); err != nil {
		return nil, fmt.Errorf("-domain: certificates cannot be kept: %w; name another folder with -domain-cache", err)
	}
	watch := &problemWatch{inner: http.DefaultTransport}
	return &issuer{
		manager: &autocert.Manager{
			Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(dir), HostPolicy: autocert.HostWhitelist(o.domains...),
			Client: &acme.Client{DirectoryURL: o.directory, HTTPClient: &http.Client{Transport: watch}, UserAgent: "noom-browser-server"},
		},
		problems: watch, first: o.domains[0], report: report, complain: complain,
		flights: make(map[string]*flight), reported: make(map[string]bool), complained: make(map[string]time.Time),
	}, nil
}

// writable makes a folder and tries it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "try-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// config is for a listener that also answers the ACME server.
func (i *issuer) config() *tls.Config {
	return &tls.Config{
		GetCertificate: i.certificate, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1", acme.ALPNProto},
	}
}

// certificate implements [tls.Config.GetCertificate]. Those who come while it is asked for wait, but
// no longer than their handshake may take.
func (i *issuer) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		return i.manager.GetCertificate(hello) // the ACME server, which looks whether we are here
	}
	name := strings.TrimSuffix(strings.ToLower(hello.ServerName), ".")
	if name == "" {
		name = i.first // a TURN client may connect to the address that it has found for the name, and not say it
	}
	if err := i.manager.HostPolicy(hello.Context(), name); err != nil {
		return nil, err
	}
	f := i.ask(name)
	select {
	case <-f.done:
		return f.certificate, f.err
	case <-hello.Context().Done():
		return nil, hello.Context().Err()
	}
}

// ask begins a question, or finds the one that goes on.
func (i *issuer) ask(domain string) *flight {
	i.mu.Lock()
	defer i.mu.Unlock()
	if f := i.flights[domain]; f != nil {
		return f
	}
	f := &flight{done: make(chan struct{})}
	i.flights[domain] = f
	go i.fly(domain, f)
	return f
}

func (i *issuer) fly(domain string, f *flight) {
	// With that suite in the hello the certificate is for an ECDSA key, the one that all have.
	f.certificate, f.err = i.manager.GetCertificate(&tls.ClientHelloInfo{
		ServerName: domain, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
	i.mu.Lock()
	delete(i.flights, domain)
	i.mu.Unlock()
	close(f.done)
	i.tell(domain, f)
}

// tell says what has become of a question.
func (i *issuer) tell(domain string, f *flight) {
	old := f.err == nil && isOld(f.certificate.Leaf, time.Now())
	pause := sayNone
	if old {
		pause = sayOld
	}
	i.mu.Lock()
	last, said := i.complained[domain]
	bad := (f.err != nil || old) && (!said || time.Since(last) > pause)
	first := f.err == nil && !old && !i.reported[domain]
	if bad {
		i.complained[domain] = time.Now()
	}
	if first {
		i.reported[domain] = true
	}
	i.mu.Unlock()
	switch {
	case first:
		i.report(fmt.Sprintf("the certificate for %s is good until %s and is renewed before that", domain, f.certificate.Leaf.NotAfter.Format(time.DateOnly)))
	case bad && old:
		i.complain(fmt.Sprintf("the certificate for %s is good until %s and could not be renewed: %s", domain, f.certificate.Leaf.NotAfter.Format(time.DateOnly), i.problems.explain(nil)))
	case bad:
		i.complain(fmt.Sprintf("no certificate for %s: %s", domain, i.problems.explain(f.err)))
	}
}

// isOld reports whether a certificate should have been renewed: autocert does it when at most a third
// of the lifetime is left, does not say that it fails, and serves the old one until the program ends.
func isOld(leaf *x509.Certificate, now time.Time) bool {
	return leaf.NotAfter.Sub(now) < leaf.NotAfter.Sub(leaf.NotBefore)/6
}

// begin asks for all certificates, so that the first visitors need not wait.
func (i *issuer) begin(domains []string) {
	for _, domain := range domains {
		i.ask(domain)
	}
}
