package nats

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// The defaults of NATS would notice a dead connection after minutes, and deliver then what is as old. These are a
// compromise: a starved machine must not look dead.
const (
	pingInterval   = 2 * time.Second
	pingsUnheard   = 2
	dialTimeout    = 2 * time.Second
	writeTimeout   = 2 * time.Second // of one write, after which the connection is given up
	firstRedial    = 100 * time.Millisecond
	longestRedial  = 2 * time.Second
	defaultPending = 16 << 20
)

// Options say how to reach NATS. URLs or InProcess is necessary, everything else is not.
type Options struct {
	// URLs of the servers, nats://host:port or tls://host:port, of which any will do. They may name a user and a password.
	URLs []string

	// InProcess is a server in this process, for example one of noom/transport/nats/embed. URLs then only has the user.
	InProcess interface{ InProcessConn() (net.Conn, error) }

	Name string // what operators of the servers see

	Credentials string // a file with a JWT and the seed of its key, as nsc makes it; read again for each connection
	NkeySeed    string // a file with the seed of a key; read again for each connection

	// Files in PEM. With any of them nothing is sent unencrypted.
	CA        string // who signs for servers; empty: those that the system trusts
	Cert, Key string // who we are

	// Optional lets Dial succeed if no server is there, or none lets us in, and goes on trying.
	Optional bool

	// MaxPending is how many bytes may wait in each direction: for a subscriber that is slow, and for the server. What is
	// more is dropped, the newest first. 0 means 16 MB.
	MaxPending int

	Logger *slog.Logger // nil: nothing is logged; no password or key ever is

	ping time.Duration // 0 means pingInterval; tests have no time
}

// ErrOptions says that the options are wrong, so that trying again is of no use.
var ErrOptions = errors.New("nats: wrong options")

// dialOptions returns what nats.go is to do, without what the Bus adds.
func (o *Options) dialOptions() (natsgo.Options, error) {
	d := natsgo.GetDefaultOptions()
	d.Servers, d.Name = o.URLs, o.Name
	d.Timeout, d.FlusherTimeout, d.ReconnectOnFlusherError = dialTimeout, writeTimeout, true
	d.PingInterval, d.MaxPingsOut = pingInterval, pingsUnheard
	if o.ping > 0 {
		d.PingInterval = o.ping
	}
	d.MaxReconnect, d.ReconnectBufSize, d.IgnoreAuthErrorAbort = -1, -1, true
	d.CustomReconnectDelayCB = redialDelay
	d.CustomDialer = dialer{}
	if o.InProcess != nil {
		d.InProcessServer, d.IgnoreDiscoveredServers = o.InProcess, true
	}
	for _, set := range []func(*natsgo.Options) error{o.checkURLs, o.identify, o.encrypt} {
		if err := set(&d); err != nil {
			return d, err
		}
	}
	return d, nil
}

// checkURLs never says what is in a URL, which may be a password.
func (o *Options) checkURLs(*natsgo.Options) error {
	if len(o.URLs) == 0 && o.InProcess == nil {
		return fmt.Errorf("%w: no URL of a server", ErrOptions)
	}
	for i, text := range o.URLs {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Hostname() == "":
			return fmt.Errorf("%w: URL %d is not nats://host:port", ErrOptions, i+1)
		case u.Scheme != "nats" && u.Scheme != "tls":
			return fmt.Errorf("%w: URL %d begins with %q, which is neither nats nor tls", ErrOptions, i+1, u.Scheme)
		}
	}
	return nil
}

// identify tries what it sets: nats.go would first read the files when it connects.
func (o *Options) identify(d *natsgo.Options) error {
	switch {
	case o.Credentials != "" && o.NkeySeed != "":
		return fmt.Errorf("%w: both Credentials and NkeySeed", ErrOptions)
	case o.Credentials != "":
		if err := natsgo.UserCredentials(o.Credentials)(d); err != nil {
			return fmt.Errorf("%w: Credentials %s: %w", ErrOptions, o.Credentials, err)
		}
		_, err := d.UserJWT()
		if err == nil {
			_, err = d.SignatureCB([]byte("try"))
		}
		if err != nil {
			return fmt.Errorf("%w: Credentials %s: %w", ErrOptions, o.Credentials, err)
		}
	case o.NkeySeed != "":
		set, err := natsgo.NkeyOptionFromSeed(o.NkeySeed)
		if err == nil {
			err = set(d)
		}
		if err != nil {
			return fmt.Errorf("%w: NkeySeed %s: %w", ErrOptions, o.NkeySeed, err)
		}
	}
	return nil
}

func (o *Options) encrypt(d *natsgo.Options) error {
	if o.CA == "" && o.Cert == "" && o.Key == "" {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return fmt.Errorf("%w: CA: %w", ErrOptions, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%w: CA %s has no certificate in PEM", ErrOptions, o.CA)
		}
	}
	if o.Cert != "" || o.Key != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return fmt.Errorf("%w: Cert and Key: %w", ErrOptions, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	d.Secure, d.TLSConfig = true, config
	return nil
}

// redialDelay is how long to wait after all servers were tried so many times.
func redialDelay(rounds int) time.Duration {
	d := longestRedial
	if rounds < 6 {
		d = min(d, firstRedial<<max(rounds-1, 0))
	}
	return d/2 + rand.N(d/2) // hubs that were lost together do not come back together
}

// A dialer makes connections that forget what they could not send when they are closed. Otherwise the kernel would go on
// sending it, and a server would get it after the cut.
type dialer struct{}

func (dialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err = tcp.SetLinger(0); err != nil {
			_ = conn.Close() // it is of no use
		}
	}
	return conn, err
}
