package acmetest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A served is a running browser-server. What it prints comes out of lines.
type served struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string // of both outputs; closed when it has ended
}

// program builds browser-server.
func program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "browser-server")
	build := exec.Command("go", "build", "-o", file, "./examples/browser-server")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// serve runs it until the test ends, as one that trusts the ACME server's own certificate.
func serve(t *testing.T, file string, a *authority, flags ...string) *served {
	t.Helper()
	s := &served{t: t, cmd: exec.Command(file, append(flags, "-acme", a.directory)...), lines: make(chan string, 100)}
	s.cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+a.trust)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = write, write
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close() // the program has its own
	go func() {
		defer close(s.lines)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			s.lines <- lines.Text()
		}
		_ = read.Close() // all is read
	}()
	t.Cleanup(s.stop)
	return s
}

func (s *served) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt) // it may have ended
	for range s.lines {                    // until it has
	}
	_ = s.cmd.Wait() // it may have been waited for
}

// says waits until a line is printed that has text in it, and returns it.
func (s *served) says(text string) string {
	s.t.Helper()
	var all []string
	for timeout := time.After(time.Minute); ; {
		select {
		case line, more := <-s.lines:
			if all = append(all, line); strings.Contains(line, text) {
				return line
			}
			if !more {
				s.t.Fatalf("it has ended without saying %q:\n%s", text, strings.Join(all, "\n"))
			}
		case <-timeout:
			s.t.Fatalf("it never said %q:\n%s", text, strings.Join(all, "\n"))
		}
	}
}

// freePort returns a port on loopback that nobody uses yet.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }() // it was only needed for its port
	return listener.Addr().(*net.TCPAddr).Port
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// browse gets a page by a domain that leads to a port of this machine.
func browse(t *testing.T, a *authority, url string, port int) (status int, location, serial string) {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: a.roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}
	transport.DialContext = dialer(local(port))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body) // only its beginning counts
	_ = response.Body.Close()
	if response.TLS != nil {
		serial = fmt.Sprint(response.TLS.PeerCertificates[0].SerialNumber)
	}
	return response.StatusCode, response.Header.Get("Location"), serial
}

// The certificate comes over the port of the page, with TURN on it too, and outlives a restart.
func TestCertificateOverTheSamePort(t *testing.T) {
	port, cache := freePort(t), t.TempDir()
	a, file := startPebble(t, port, freePort(t)), program(t)
	flags := []string{"-addr", local(port), "-domain", "call.example", "-domain-cache", cache, "-turn", "tls"}
	s := serve(t, file, a, flags...)
	if line := s.says("TURN is at"); line != fmt.Sprintf("TURN is at call.example:%d, TLS", port) {
		t.Errorf("it says %q", line)
	}
	if line := s.says("noom is at"); line != fmt.Sprintf("noom is at https://call.example:%d", port) {
		t.Errorf("it says %q", line)
	}
	s.says("the certificate for call.example is good until ")
	status, _, serial := browse(t, a, "https://call.example/", port)
	if status != http.StatusOK {
		t.Errorf("the page: %d", status)
	}
	s.stop()
	files, err := os.ReadDir(cache)
	if err != nil || len(files) == 0 {
		t.Fatalf("kept are %v, %v", files, err)
	}
	s = serve(t, file, a, flags...)
	s.says("the certificate for call.example is good until ")
	if _, _, again := browse(t, a, "https://call.example/", port); again != serial {
		t.Errorf("after a restart it has certificate %s, before %s", again, serial)
	}
}

// Where the ACME server does not reach the page's port, plain http does, and leads others to the
// page.
func TestCertificateOverHTTP(t *testing.T) {
	port, plain := freePort(t), freePort(t)
	a := startPebble(t, freePort(t), plain) // nobody listens where it looks for TLS
	s := serve(t, program(t), a, "-addr", local(port), "-domain", "call.example", "-domain-cache", t.TempDir(), "-http", local(plain))
	s.says("the certificate for call.example is good until ")
	if status, _, _ := browse(t, a, "https://call.example/", port); status != http.StatusOK {
		t.Errorf("the page: %d", status)
	}
	status, location, _ := browse(t, a, "http://call.example/?a=b", plain)
	if want := fmt.Sprintf("https://call.example:%d/?a=b", port); status != http.StatusFound || location != want {
		t.Errorf("plain http leads to %s (%d), want %s", location, status, want)
	}
	if status, location, _ := browse(t, a, "http://evil.example/", plain); status != http.StatusMisdirectedRequest {
		t.Errorf("for another host plain http leads to %q (%d)", location, status)
	}
}

// What keeps a certificate away is said in words.
func TestWhyThereIsNoCertificate(t *testing.T) {
	file := program(t)
	port := freePort(t)
	a := startPebble(t, port, freePort(t))
	refusing := &authority{directory: "https://" + local(freePort(t)) + "/dir", trust: a.trust}
	for name, test := range map[string]struct {
		a      *authority
		addr   string
		domain string
		want   string
	}{
		"a name that leads nowhere":        {a, local(port), "missing.example", `Could not resolve URL "missing.example"`},
		"a port that nobody reaches":       {a, local(freePort(t)), "call.example", "the ACME server does not find this one under that name; it must lead straight here"},
		"an ACME server that is not there": {refusing, local(port), "call.example", "the ACME server cannot be asked: "},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, file, test.a, "-addr", test.addr, "-domain", test.domain, "-domain-cache", t.TempDir())
			line := s.says("no certificate for " + test.domain)
			if !strings.Contains(line, test.want) {
				t.Errorf("it says %q, want %q", line, test.want)
			}
			s.stop()
		})
	}
}
