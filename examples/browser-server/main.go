// Command browser-server serves noom calls to web pages from one process: the
// page, noom.js and the hub, with everything embedded.
//
//	go run ./examples/browser-server -addr :8080
//
// Then open http://localhost:8080 in two tabs. Over a network a page needs
// https for its camera: see -tls-self-signed and -tls-cert.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run serves until ctx ends and returns the exit code: 0 after that, 1 when it
// could not serve, 2 for bad arguments.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprint(stdout, usage)
		return 0
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "browser-server: %v (-help lists the flags)\n", err)
		return 2
	}
	if err := o.serve(ctx, stdout, stderr); err != nil {
		_, _ = fmt.Fprintf(stderr, "browser-server: %v\n", err)
		return 1
	}
	return 0
}

const usage = `browser-server serves noom's page and its hub.

  -addr HOST:PORT   where to listen (default :8080)
  -metrics HOST:PORT
                    export the hub's numbers to Prometheus, at /metrics there:
                    choose an address that strangers cannot reach (default: none)
  -hosts LIST       the names by which members reach this server, as they stand in
                    URLs, with commas: behind a proxy such as
                    call.example.com, with the port by which they reach it where
                    that is not the one in -addr. Requests for others are refused;
                    * accepts all, which lets other hubs use proofs that members
                    made for them (default: localhost, this machine's name and
                    addresses, and the names in the certificate)
  -origins LIST     other hosts whose pages may use the hub: names, patterns such
                    as *.example.com, or * for all, with commas (default: none)
  -tls-self-signed  serve https with a certificate made for this machine, so that a
                    phone near it may use its camera; prints addresses, fingerprint
                    and a QR code
  -tls-cert FILE, -tls-key FILE
                    serve https with this certificate and key, in PEM
  -token-key FILE   a member with a token that this key has signed, at
                    #/ROOM?token=TOKEN behind the page's address, has the rights in
                    it (noom-token makes them); others may publish and chat
                    (default: so may all). The public half of the key is enough
  -domain LIST      serve https with a certificate for these names, with commas, from
                    Let's Encrypt, by which you accept its terms. The names must lead
                    here, and port 443 must reach -addr, or port 80 -http
  -domain-cache DIR where certificates are kept, with the keys (default: the folder
                    noom-browser-server where this system keeps caches)
  -acme URL         the directory of another ACME server than Let's Encrypt's
  -http HOST:PORT   with https: also listen there for plain http, which leads to the
                    page, and answers the ACME server that -domain asks
  -turn IP:PORT     also relay media for members that have no other way to each
                    other: a TURN server at this address of the machine, or of
                    the NAT before it; needs UDP and TCP on that port, and UDP
                    49152-65535 (default: none). With https it serves TLS too, on
                    the port of the page
  -turn tls         relay over TLS on the port of the page alone: members need no
                    other port than that (https)
  -turn-everywhere  let it relay to private, loopback and link-local addresses
                    too: for tests, never on a public machine
`

// options are what the flags say.
type options struct {
	addr           string
	metrics        string   // empty: none
	hosts          []string // of ws.AcceptOptions; nil: what the machine knows of itself
	origins        []string // patterns of ws.AcceptOptions
	tls            tlsOptions
	plain          string      // where plain http leads to https; empty: nowhere
	tokenKey       string      // empty: no member has special rights
	turn           turnOptions // zero: none
	turnEverywhere bool
}

func parse(args []string) (*options, error) {
	o := new(options)
	var relay, hosts, origins, domains string
	flags := flag.NewFlagSet("browser-server", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.addr, "addr", ":8080", "")
	flags.StringVar(&o.metrics, "metrics", "", "")
	flags.StringVar(&hosts, "hosts", "", "")
	flags.StringVar(&origins, "origins", "", "")
	flags.BoolVar(&o.tls.selfSigned, "tls-self-signed", false, "")
	flags.StringVar(&o.tls.cert, "tls-cert", "", "")
	flags.StringVar(&o.tls.key, "tls-key", "", "")
	flags.StringVar(&domains, "domain", "", "")
	flags.StringVar(&o.tls.acme.cache, "domain-cache", "", "")
	flags.StringVar(&o.tls.acme.directory, "acme", "", "")
	flags.StringVar(&o.plain, "http", "", "")
	flags.StringVar(&o.tokenKey, "token-key", "", "")
	flags.StringVar(&relay, "turn", "", "")
	flags.BoolVar(&o.turnEverywhere, "turn-everywhere", false, "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var err error
	if o.tls.acme.domains, err = domainList(domains); err != nil {
		return nil, err
	}
	if err = o.tls.check(); err != nil {
		return nil, err
	}
	if o.plain != "" && !o.tls.wanted() {
		return nil, errors.New("-http leads to https, which needs -domain, -tls-cert or -tls-self-signed")
	}
	if o.hosts, err = hostList(hosts); err != nil {
		return nil, err
	}
	if o.origins, err = originPatterns(origins); err != nil {
		return nil, err
	}
	if o.turnEverywhere && relay == "" {
		return nil, errors.New("-turn-everywhere is about -turn, which is not given")
	}
	o.turn, err = parseTURN(relay, o.tls.wanted())
	return o, err
}

// reason says in a few words why listening failed.
func reason(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return "another program uses that port; choose another"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return err.Error()
}

// address is what to type into a browser. Pages get camera and cryptography
// on localhost, and on no other name without https.
func address(scheme string, listening net.Addr, wanted string) string {
	_, port, _ := net.SplitHostPort(listening.String()) // a listener's address has both
	usual := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return scheme + "://" + strings.TrimSuffix(net.JoinHostPort(hostname(wanted), port), usual)
}

// hostname is the name of what listens on addr.
func hostname(addr string) string {
	host, _, _ := net.SplitHostPort(addr) // it was good enough to listen on
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "localhost"
	}
	return host
}
