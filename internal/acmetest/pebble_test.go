package acmetest

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// An authority is a running ACME server.
type authority struct {
	directory string         // its URL
	trust     string         // a file with the certificate of its own web server
	roots     *x509.CertPool // that its certificates lead to
}

// startPebble starts an ACME server until the test ends. It looks for every domain but missing.example
// on this machine, for tls-alpn-01 and http-01 at these ports.
func startPebble(t *testing.T, tlsPort, httpPort int) *authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")       // it looks at once
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "20") // of a hundred requests it refuses so many, which clients must repeat
	quiet := log.New(io.Discard, "", 0)
	if testing.Verbose() {
		quiet = log.New(os.Stderr, "Pebble ", log.Ltime)
	}
	store := db.NewMemoryStore()
	signer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	validator := va.New(quiet, httpPort, tlsPort, false, resolver(t), store)
	front := wfe.New(quiet, store, validator, signer, []string{"pebble.example"}, false, false, 0, 0)
	server := httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)
	a := &authority{directory: server.URL + wfe.DirectoryPath, trust: filepath.Join(t.TempDir(), "pebble.pem"), roots: x509.NewCertPool()}
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(a.trust, own, 0o600); err != nil {
		t.Fatal(err)
	}
	if !a.roots.AppendCertsFromPEM(signer.GetRootCert(0).PEM()) {
		t.Fatal("Pebble has no root")
	}
	return a
}

// resolver serves DNS, in which every name but one is this machine's, until the test ends.
func resolver(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: listener, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, asked *dns.Msg) {
		answer := new(dns.Msg).SetReply(asked)
		switch question := asked.Question[0]; {
		case question.Name == "missing.example.":
			answer.Rcode = dns.RcodeNameError
		case question.Qtype == dns.TypeA:
			answer.Answer = append(answer.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1),
			})
		}
		_ = w.WriteMsg(answer) // the one that asks will notice
	})}
	served := make(chan struct{})
	go func() {
		_ = server.ActivateAndServe() // ends with Shutdown
		close(served)
	}()
	t.Cleanup(func() {
		_ = server.Shutdown() // the test is over
		_ = listener.Close()
		<-served
	})
	return listener.Addr().String()
}
