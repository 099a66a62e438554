package endurance

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noom/internal/browsertest"
	"noom/internal/longtest"
)

// serverName is what the server is called in these tests. Firefox needs a name: it makes no
// connection for a turns URL with an IP address.
const serverName = "call.example"

// TestOnlyHTTPSGetsThrough: behind a firewall that lets nothing through but TCP to port 443 of the
// server, members in Go are in a call with each other.
func TestOnlyHTTPSGetsThrough(t *testing.T) {
	longtest.Only(t)
	l, id := newFirewall(t, "a", "b")
	a, b := l.joinGo("a", "지우", id), l.joinGo("b", "bob", id)
	a.awaitConnected(1)
	b.awaitConnected(1)
	pairs, _ := a.report()
	if over := pairs["bob"].Path; over != "relay to relay" {
		t.Errorf("connected over %s", over)
	}
	awaitData(t, a, b)
	t.Logf("%d messages, none lost, none twice", checkAllArrived(t, []*process{a, b}))
}

// TestBrowsersWhereOnlyHTTPSGetsThrough: there, two pages and a member in Go see and hear each other,
// in each pair of browsers.
func TestBrowsersWhereOnlyHTTPSGetsThrough(t *testing.T) {
	longtest.Only(t)
	for _, kinds := range browsertest.Pairs {
		t.Run(kinds.String(), func(t *testing.T) {
			l, id := newFirewall(t, "a", "b", "c")
			one := startVisit(t, visit{Kind: kinds.One, Name: "one", Others: 2}, l.inside("a")...)
			two := startVisit(t, visit{Kind: kinds.Two, Name: "two", Others: 2}, l.inside("b")...)
			one.await(one.joined, "joined")
			two.await(two.joined, "joined")
			gopher := l.joinGo("c", "gopher", id)
			one.await(one.seen, "saw everyone")
			two.await(two.seen, "saw everyone")
			gopher.awaitConnected(2)
			pairs, _ := gopher.report()
			for name, pair := range pairs {
				if pair.Path != "relay to relay" {
					t.Errorf("the member in Go and %s are connected over %s", name, pair.Path)
				}
			}
			one.end()
			two.end()
		})
	}
}

// newFirewall makes a lab with these homes, and with a server that only https reaches.
func newFirewall(t *testing.T, homes ...string) (*lab, identity) {
	t.Helper()
	program := buildServer(t)
	l := newLab(t)
	for i, home := range homes {
		l.addHome(i+1, home, portRestricted)
		l.callServer(serverName, home)
	}
	l.onlyHTTPS()
	id := newIdentity(t)
	startServer(t, append(l.inside("inet"), program, "-addr", serverIP+":443", "-tls-cert", id.cert, "-tls-key", id.key, "-turn", "tls"))
	return l, id
}

func (l *lab) joinGo(host, name string, id identity) *process {
	l.t.Helper()
	p := part{Role: "member", URL: "wss://" + serverName + "/ws", Room: "데모", Name: name, Roots: id.cert, Publish: true}
	return startPart(l.t, p, l.inside(host)...)
}

// identity is the server's certificate, which no authority has signed.
type identity struct {
	cert, key string // PEM files
}

func newIdentity(t *testing.T) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{serverName},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	id := identity{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	for file, block := range map[string]*pem.Block{
		id.cert: {Type: "CERTIFICATE", Bytes: der}, id.key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// visitVariable holds the visit that TestVisit makes.
const visitVariable = "NOOM_ENDURANCE_VISIT"

// visit is what a browser in a namespace does, which another process has to drive, in the same
// namespace.
type visit struct {
	Kind   browsertest.Kind
	Name   string
	Others int  // how many it sees and hears
	Counts bool // it says every second what it has seen, over whatever path
}

// sight is what a page has sent and seen so far.
type sight struct {
	Decoded, Sent  int // pictures
	Received, Gave int // bytes of these
}

// pageVisit is a process that runs TestVisit.
type pageVisit struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	input  io.WriteCloser
	joined chan struct{} // closed: it is in the call
	seen   chan struct{} // closed: it sees everyone
	ended  chan struct{}
	sights chan sight      // the latest one
	output strings.Builder // owned by its reader until ended
}

const joinedLine, seenLine, countsLine = "IN THE CALL", "SEES EVERYONE", "COUNTS "

// startVisit runs TestVisit until the test ends; before is as for startPart.
func startVisit(t *testing.T, what visit, before ...string) *pageVisit {
	t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(before, self, "-test.run=^TestVisit$", "-test.v")
	v := &pageVisit{t: t, name: what.Name, cmd: exec.Command(args[0], args[1:]...)}
	v.joined, v.seen, v.ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
	v.sights = make(chan sight, 1)
	v.cmd.Env = append(os.Environ(), visitVariable+"="+string(text))
	v.cmd.Stderr = os.Stderr
	if v.input, err = v.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go v.read(output)
	t.Cleanup(v.stop)
	return v
}

func (v *pageVisit) read(output io.Reader) {
	defer close(v.ended)
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if counts, ok := strings.CutPrefix(lines.Text(), countsLine); ok {
			v.take(counts)
			continue
		}
		fmt.Fprintln(&v.output, lines.Text())
		switch lines.Text() {
		case joinedLine:
			close(v.joined)
		case seenLine:
			close(v.seen)
		}
	}
}

func (v *pageVisit) take(counts string) {
	var s sight
	if err := json.Unmarshal([]byte(counts), &s); err != nil {
		v.t.Errorf("%s: %q: %v", v.name, counts, err)
	}
	select {
	case <-v.sights: // an older one
	default:
	}
	v.sights <- s
}

// sees returns what its page has sent and seen.
func (v *pageVisit) sees() sight {
	v.t.Helper()
	var latest sight
	for range 2 { // the first may be a second old
		select {
		case s := <-v.sights:
			latest = s
		case <-v.ended:
			v.t.Fatalf("%s ended:\n%s", v.name, v.output.String())
		}
	}
	return latest
}

// await waits for one of its lines; the browser's own patience bounds that.
func (v *pageVisit) await(line chan struct{}, what string) {
	v.t.Helper()
	select {
	case <-line:
		return
	case <-v.ended:
	}
	if strings.Contains(v.output.String(), "--- SKIP") {
		skipOrFail(v.t, "%s", v.output.String())
	}
	v.t.Fatalf("%s ended before it %s:\n%s", v.name, what, v.output.String())
}

// end lets it close its browser.
func (v *pageVisit) end() {
	v.t.Helper()
	_ = v.input.Close() // it waits for that
	<-v.ended
	if err := v.cmd.Wait(); err != nil {
		v.t.Errorf("%s: %v\n%s", v.name, err, v.output.String())
	}
}

// stop ends one that is left over.
func (v *pageVisit) stop() {
	_ = v.input.Close() // it lets it close its browser
	<-v.ended
	_ = v.cmd.Wait() // it may have been waited for
}

// TestVisit is the part of a browser in another test: it enters a call, sees and hears everyone in
// it, over relays alone unless it counts, and stays until its standard input ends.
func TestVisit(t *testing.T) {
	text, playing := os.LookupEnv(visitVariable)
	if !playing {
		t.Skip("other tests run it")
	}
	var v visit
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	options := []browsertest.Option{browsertest.AnyCertificate} // for TURN too, in both kinds
	if v.Counts {
		options = append(options, browsertest.SmoothCamera)
	}
	b := v.Kind.Start(t, options...)
	tab := b.Open("https://"+serverName+"/?autojoin=1&name="+v.Name+"#/데모", `
		window.connections = [];
		window.RTCPeerConnection = class extends RTCPeerConnection {
			constructor(...args) { super(...args); window.connections.push(this); }
		};
		window.tiles = () => [...document.querySelectorAll('[data-member]')];
		// What the statistics of the living connections say of that type and kind.
		window.stats = async (type, kind) => {
			const living = connections.filter((c) => c.connectionState !== 'closed');
			const reports = await Promise.all(living.map((c) => c.getStats()));
			return reports.flatMap((r) => [...r.values()]).filter((s) => s.type === type && (!kind || s.kind === kind));
		};`)
	tab.Wait("the call", `!document.getElementById('call').hidden`)
	fmt.Println(joinedLine)
	tab.Wait("everyone", fmt.Sprintf(`tiles().length === %d && tiles().every((t) => t.dataset.state === 'connected' && t.querySelector('video').videoWidth > 0)`, v.Others))
	tab.Wait("moving pictures of everyone", fmt.Sprintf(`(async () => {
		const frames = async () => (await stats('inbound-rtp', 'video')).filter((s) => s.framesDecoded > 10).length;
		return (await frames()) === %d;
	})()`, v.Others))
	tab.Wait("sound", `(async () => (await stats('inbound-rtp', 'audio')).some((s) => s.totalAudioEnergy > 0))()`)
	if v.Counts {
		fmt.Println(seenLine)
		countSights(tab)
		return
	}
	used := browsertest.Eval[[]string](tab, `(async () => (await stats('local-candidate')).filter((s) => s.candidateType === 'relay').map((s) => s.relayProtocol))()`)
	for _, protocol := range used {
		if protocol != "tls" {
			t.Errorf("relays over %v, want TLS alone", used)
		}
	}
	if len(used) == 0 {
		t.Error("no relay")
	}
	fmt.Println(seenLine)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the other test has seen enough
}

// countSights prints what a page has sent and seen every second, until standard input ends.
func countSights(tab *browsertest.Tab) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	for tick := time.Tick(time.Second); ; {
		select {
		case <-over:
			return
		case <-tick:
		}
		fmt.Println(countsLine + browsertest.Eval[string](tab, `(async () => {
			const sum = (list, field) => list.reduce((all, s) => all + (s[field] ?? 0), 0);
			const seen = await stats('inbound-rtp', 'video'), sent = await stats('outbound-rtp', 'video');
			return JSON.stringify({ Decoded: sum(seen, 'framesDecoded'), Received: sum(seen, 'bytesReceived'),
				Sent: sum(sent, 'framesSent'), Gave: sum(sent, 'bytesSent') });
		})()`))
	}
}
