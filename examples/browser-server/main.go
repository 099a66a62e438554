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
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"noom/signal/hub"
	"noom/transport/ws"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// goodbye is how long members have to take their bye.
const goodbye = 3 * time.Second

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
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "browser-server: cannot listen on %s: %s\n", o.addr, reason(err))
		return 1
	}
	config := new(hub.Config)
	if o.tokenKey != "" {
		if config.Authorize, err = authorizer(o.tokenKey); err != nil {
			_ = listener.Close() // nobody has come yet
			_, _ = fmt.Fprintf(stderr, "browser-server: %v\n", err)
			return 1
		}
	}
	if o.turn.IsValid() {
		relay, failure := startTURN(ctx, o.turn, o.turnEverywhere, standardTURNLimits)
		if failure != nil {
			_ = listener.Close() // nobody has come yet
			_, _ = fmt.Fprintf(stderr, "browser-server: %v\n", failure)
			return 1
		}
		defer func() { _ = relay.close() }() // the program ends
		config.ICEServers, config.ICELifetime = relay.servers, turnLifetime
		_, _ = fmt.Fprintf(stdout, "TURN is at %s, UDP and TCP\n", relay.at)
	}
	var gauges net.Listener
	if o.metrics != "" {
		if gauges, err = new(net.ListenConfig).Listen(ctx, "tcp", o.metrics); err != nil {
			_ = listener.Close() // nobody has come yet
			_, _ = fmt.Fprintf(stderr, "browser-server: cannot listen on %s for -metrics: %s\n", o.metrics, reason(err))
			return 1
		}
		_, _ = fmt.Fprintf(stdout, "metrics are at http://%s/metrics\n", gauges.Addr())
	}
	var leaf *x509.Certificate
	listener = ws.LimitListener(listener, nil)
	if o.tls.wanted() {
		secured, of, err := o.tls.secureListener(listener, o.addr, stdout)
		if err != nil {
			_ = listener.Close() // nobody has come yet
			_, _ = fmt.Fprintf(stderr, "browser-server: %v\n", err)
			return 1
		}
		listener, leaf = secured, of
	} else {
		_, _ = fmt.Fprintf(stdout, "noom is at %s\n", address("http", listener.Addr(), o.addr))
	}
	hosts := o.hosts
	if hosts == nil {
		hosts = ownHosts(o.addr, leaf)
	}
	if err := serve(ctx, listener, gauges, config, ws.AcceptOptions{Hosts: hosts, OriginPatterns: o.origins}); err != nil {
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
                    call.example.com. Requests for others are refused; * accepts
                    all, which lets other hubs use proofs that members made for
                    them (default: localhost, this machine's name and addresses,
                    and the names in the certificate)
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
  -turn IP:PORT     also relay media for members that have no other way to each
                    other: a TURN server at this address of the machine, or of
                    the NAT before it; needs UDP and TCP on that port, and UDP
                    49152-65535 (default: none)
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
	tokenKey       string         // empty: no member has special rights
	turn           netip.AddrPort // invalid: none
	turnEverywhere bool
}

func parse(args []string) (*options, error) {
	o := new(options)
	var relay, hosts, origins string
	flags := flag.NewFlagSet("browser-server", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.addr, "addr", ":8080", "")
	flags.StringVar(&o.metrics, "metrics", "", "")
	flags.StringVar(&hosts, "hosts", "", "")
	flags.StringVar(&origins, "origins", "", "")
	flags.BoolVar(&o.tls.selfSigned, "tls-self-signed", false, "")
	flags.StringVar(&o.tls.cert, "tls-cert", "", "")
	flags.StringVar(&o.tls.key, "tls-key", "", "")
	flags.StringVar(&o.tokenKey, "token-key", "", "")
	flags.StringVar(&relay, "turn", "", "")
	flags.BoolVar(&o.turnEverywhere, "turn-everywhere", false, "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := o.tls.check(); err != nil {
		return nil, err
	}
	var err error
	if o.hosts, err = hostList(hosts); err != nil {
		return nil, err
	}
	if o.origins, err = originPatterns(origins); err != nil {
		return nil, err
	}
	if o.turnEverywhere && relay == "" {
		return nil, errors.New("-turn-everywhere is about -turn, which is not given")
	}
	if relay != "" {
		at, err := turnAddress(relay)
		if err != nil {
			return nil, err
		}
		o.turn = at
	}
	return o, nil
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
	host, _, _ := net.SplitHostPort(wanted)             // it was good enough to listen on
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	usual := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return scheme + "://" + strings.TrimSuffix(net.JoinHostPort(host, port), usual)
}

// serve serves until ctx ends, then says goodbye to everyone. gauges, if not
// nil, is where the metrics are; accept is as handler has it.
func serve(ctx context.Context, listener, gauges net.Listener, config *hub.Config, accept ...ws.AcceptOptions) error {
	h := hub.New(config)
	if gauges != nil {
		closing := serveMetrics(gauges, h)
		defer func() { _ = closing() }() // without a goodbye
	}
	server := ws.HTTPServer(handler(h, accept...), nil)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	// A member that is too slow for a goodbye is cut; that is no failure.
	_ = h.Shutdown(leaving)
	_ = server.Shutdown(leaving)
	return server.Close()
}
