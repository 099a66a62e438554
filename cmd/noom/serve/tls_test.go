package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"noom"
	"noom/transport/ws"
)

// A client that trusts the certificate and nothing else: the page, the list of
// rooms, and two members in a room.
func TestTLS(t *testing.T) {
	pair, err := selfSigned(nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key := writePEM(t, pair)
	url := serveHere(t, "-tls-cert", cert, "-tls-key", key)
	if !strings.HasPrefix(url, "https://127.0.0.1:") {
		t.Fatalf("noom is at %s", url)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // all is read
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(page), "<title>noom</title>") {
		t.Errorf("%d, %d bytes, %v", response.StatusCode, len(page), err)
	}
	dialer := ws.Dialer{URL: strings.Replace(url, "https", "wss", 1) + "/ws", HTTPClient: client}
	for _, name := range []string{"지우", "bob"} {
		room, err := noom.Join(t.Context(), dialer, "데모", &noom.Config{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = room.Leave(context.Background()) }() // the test is over
		if err := room.Chat(t.Context(), "안녕"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := noom.Join(t.Context(), ws.Dialer{URL: dialer.URL}, "데모", nil); err == nil {
		t.Error("a client that knows no such certificate joined")
	}
}

func writePEM(t *testing.T, pair tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		key:  {Type: "EC PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// What is printed about a certificate made for this machine.
func TestIntroduction(t *testing.T) {
	lan := []netip.Addr{netip.MustParseAddr("192.168.1.5"), netip.MustParseAddr("2001:db8::5")}
	now := time.Now()
	pair, err := selfSigned(lan, now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "192.168.1.5", "2001:db8::5"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var out strings.Builder
	o := &tlsOptions{selfSigned: true}
	o.introduce(&out, pair.Leaf, addrPort("0.0.0.0:8443"), lan)
	for _, want := range []string{
		"   also at https://192.168.1.5:8443\n   also at https://[2001:db8::5]:8443\n", "\n" + fingerprint(pair.Leaf) + "\n", "█",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if !regexp.MustCompile(`^[0-9A-F]{2}(:[0-9A-F]{2}){31}$`).MatchString(fingerprint(pair.Leaf)) {
		t.Errorf("fingerprint %s", fingerprint(pair.Leaf))
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if n := len([]rune(line)); n > 120 {
			t.Errorf("a line of %d characters", n)
		}
	}
	out.Reset()
	o.introduce(&out, pair.Leaf, addrPort("0.0.0.0:443"), lan[:1])
	if !strings.Contains(out.String(), "also at https://192.168.1.5\n") {
		t.Errorf("on the usual port: %s", out.String())
	}
}

// addrPort is a net.Addr.
type addrPort string

func (addrPort) Network() string  { return "tcp" }
func (a addrPort) String() string { return string(a) }

func TestLANAddresses(t *testing.T) {
	for addr, want := range map[string][]netip.Addr{
		"127.0.0.1:0":      {},
		"[::1]:0":          {},
		"192.168.7.7:8443": {netip.MustParseAddr("192.168.7.7")},
		"noom.lan:8443":    {},
	} {
		if got, err := lanAddresses(addr); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", addr, got, err)
		}
	}
	all, err := lanAddresses(":8443")
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range all {
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() || !ip.IsValid() {
			t.Errorf("%v is no address for a phone", ip)
		}
	}
	if _, err := lanAddresses("nonsense"); err == nil {
		t.Error("nonsense was taken")
	}
}

// Pages from elsewhere are refused, until -origins lets them in.
func TestOrigins(t *testing.T) {
	for origin, flags := range map[string][]string{
		"https://evil.example": {}, "https://friend.example": {"-origins", "friend.example,*.friends.example"},
		"https://a.friends.example": {"-origins", "friend.example,*.friends.example"},
		"https://other.example":     {"-origins", "friend.example,*.friends.example"},
	} {
		url := serveHere(t, flags...)
		dialer := ws.Dialer{URL: strings.Replace(url, "http", "ws", 1) + "/ws", Header: http.Header{"Origin": {origin}}}
		line, err := dialer.Dial(t.Context())
		if want := strings.Contains(origin, "friend"); (err == nil) != want {
			t.Errorf("%s with %v: %v, want let in: %v", origin, flags, err, want)
		}
		if err == nil {
			_ = line.Close() // never fails
		}
	}
}
