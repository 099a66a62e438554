// Package serve is noom serve, and the example browser-server: calls for web pages from one process, with the page,
// noom.js and the hub.
package serve

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"noom/cmd/noom/command"
)

// Command returns the command of that name, which serves the files of page at its address.
func Command(name string, page fs.FS) command.Command {
	return command.Command{
		Name: name, Summary: "serve a page for calls, and its hub", Usage: name + usage,
		Flags: func() *flag.FlagSet { return new(options).flags(new(lists)) },
		Do: func(ctx context.Context, args []string, streams command.Streams) error {
			o, err := parse(args)
			if err != nil {
				return err
			}
			o.name, o.page = name, page
			return o.serve(ctx, streams.Out, streams.Err)
		},
	}
}

const usage = ` serves noom's page and its hub.

  -addr HOST:PORT   where to listen (default localhost:8080, which only this machine can
                    reach); :8080 lets the network around it in
  -metrics HOST:PORT
                    export the hub's numbers to Prometheus, at /metrics there:
                    choose an address that strangers cannot reach (default: none)
  -webhook URL      post there, as JSON, who enters and leaves which room (README.md has
                    the fields), signed with the secret of -webhook-secret
  -webhook-secret FILE
                    the file of that secret (default: NOOM_WEBHOOK_SECRET of the
                    environment)
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
                    it (noom token makes them); others may publish and chat
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
  -nats URL         be one with other servers: a member of a room may be at any of
                    them. nats://HOST:PORT of a NATS server, or of several with
                    commas, to which all connect (default: this server is alone)
  -nats embed       the same without another program: each server brings its own
                    NATS, up to some 16 of them
  -cluster LIST     with -nats embed: HOST:PORT of other servers' -cluster-listen,
                    with commas; itself may be among them
  -cluster-listen HOST:PORT
                    with -nats embed: where the other servers come in, which
                    strangers shall not reach
  -cluster-secret FILE
                    with -nats embed: a secret of at least 16 bytes, the same at all
  -nats-optional    serve, alone, also where NATS cannot be reached at first
  -turn-everywhere  let it relay to private, loopback and link-local addresses
                    too: for tests, never on a public machine
`

// options are what the flags say.
type options struct {
	name           string // the program's
	page           fs.FS
	addr           string
	metrics        string   // empty: none
	webhook        string   // empty: none
	webhookSecret  string   // a file; empty: the environment has it
	hosts          []string // of ws.AcceptOptions; nil: what the machine knows of itself
	origins        []string // patterns of ws.AcceptOptions
	tls            tlsOptions
	plain          string      // where plain http leads to https; empty: nowhere
	tokenKey       string      // empty: no member has special rights
	turn           turnOptions // zero: none
	turnEverywhere bool
	cluster        clusterOptions // zero: this server is alone
}

// lists are what the flags say that take lists, and -turn.
type lists struct{ hosts, origins, domains, relay, cluster string }

// flags returns the flags, which set o and l.
func (o *options) flags(l *lists) *flag.FlagSet {
	flags := command.NewFlags()
	flags.StringVar(&o.addr, "addr", "localhost:8080", "")
	flags.StringVar(&o.metrics, "metrics", "", "")
	flags.StringVar(&o.webhook, "webhook", "", "")
	flags.StringVar(&o.webhookSecret, "webhook-secret", "", command.FileValue)
	flags.StringVar(&l.hosts, "hosts", "", "")
	flags.StringVar(&l.origins, "origins", "", "")
	flags.BoolVar(&o.tls.selfSigned, "tls-self-signed", false, "")
	flags.StringVar(&o.tls.cert, "tls-cert", "", command.FileValue)
	flags.StringVar(&o.tls.key, "tls-key", "", command.FileValue)
	flags.StringVar(&l.domains, "domain", "", "")
	flags.StringVar(&o.tls.acme.cache, "domain-cache", "", command.FileValue)
	flags.StringVar(&o.tls.acme.directory, "acme", "", "")
	flags.StringVar(&o.plain, "http", "", "")
	flags.StringVar(&o.tokenKey, "token-key", "", command.FileValue)
	flags.StringVar(&l.relay, "turn", "", "tls")
	flags.BoolVar(&o.turnEverywhere, "turn-everywhere", false, "")
	flags.StringVar(&o.cluster.nats, "nats", "", embedded)
	flags.StringVar(&l.cluster, "cluster", "", "")
	flags.StringVar(&o.cluster.listen, "cluster-listen", "", "")
	flags.StringVar(&o.cluster.secret, "cluster-secret", "", command.FileValue)
	flags.BoolVar(&o.cluster.optional, "nats-optional", false, "")
	return flags
}

// parse reads the flags. All its errors are of [command.Wrong].
func parse(args []string) (*options, error) {
	o, l := new(options), new(lists)
	if _, err := command.Parse(o.flags(l), args); err != nil {
		return nil, err
	}
	if err := o.check(l); err != nil {
		return nil, command.Wrong("%v", err)
	}
	return o, nil
}

// check takes what the lists say, and refuses what cannot be right or does not go together.
func (o *options) check(l *lists) (err error) {
	if o.tls.acme.domains, err = domainList(l.domains); err != nil {
		return err
	}
	if err = o.tls.check(); err != nil {
		return err
	}
	if o.plain != "" && !o.tls.wanted() {
		return errors.New("-http leads to https, which needs -domain, -tls-cert or -tls-self-signed")
	}
	if o.hosts, err = hostList(l.hosts); err != nil {
		return err
	}
	if o.origins, err = originPatterns(l.origins); err != nil {
		return err
	}
	if o.webhookSecret != "" && o.webhook == "" {
		return errors.New("-webhook-secret is about -webhook, which is not given")
	}
	if o.turnEverywhere && l.relay == "" {
		return errors.New("-turn-everywhere is about -turn, which is not given")
	}
	if err = o.cluster.check(l.cluster); err != nil {
		return err
	}
	o.turn, err = parseTURN(l.relay, o.tls.wanted())
	return err
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
