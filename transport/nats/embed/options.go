package embed

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	routePing      = time.Second // a dead route is closed after 2 to 3 s; the defaults of NATS take 42 s
	clientPing     = 2 * time.Second
	pingsUnheard   = 2
	writeDeadline  = 2 * time.Second
	mostClients    = 64
	largestMessage = 1 << 20
	defaultPending = 16 << 20
	shortestSecret = 16 // bytes
	user           = "noom"
)

// ErrOptions says that the options are wrong, so that trying again is of no use.
var ErrOptions = errors.New("embed: wrong options")

// Options say how servers find each other. The zero value is a server for this process alone.
type Options struct {
	Name string // of this server, unlike that of all others; empty: a random one

	ClusterListen string   // host:port for the routes of other servers; port 0: a free one; empty: there are none
	Cluster       []string // host:port of other servers; itself may be among them

	// A secret of at least 16 bytes, the same at all servers, is necessary for routes. Spaces around it, such as a last
	// newline in the file, do not count.
	Secret     string
	SecretFile string

	// Files in PEM, all three or none: routes are then encrypted, and both ends need a certificate that CA has signed and
	// that names the host by which the others know it.
	CA, Cert, Key string

	// Listen is a host:port for clients in other processes, which [Server.ClientURL] admits; port 0: a free one. Empty:
	// there are none. They are not encrypted.
	Listen   string
	Password string // of those clients, whose user is noom; empty: a random one

	// MaxPending is how many bytes may wait for one route or client; one that is slower than that is cut off. 0: 16 MB.
	MaxPending int

	Logger *slog.Logger // nil: nothing is logged
}

// serverOptions returns what nats-server is to do.
func (o *Options) serverOptions() (*server.Options, error) {
	s := &server.Options{
		ServerName: o.Name, Host: "127.0.0.1", Port: server.RANDOM_PORT, DontListen: true,
		NoLog: true, NoSigs: true, NoSystemAccount: true,
		Username: user, Password: rand.Text(),
		MaxConn: mostClients, MaxPayload: largestMessage, MaxPending: int64(o.MaxPending),
		PingInterval: clientPing, MaxPingsOut: pingsUnheard, WriteDeadline: writeDeadline,
		MaxClosedClients: 1, DisableJetStreamBanner: true,
	}
	if s.ServerName == "" {
		s.ServerName = rand.Text()
	}
	if s.MaxPending <= 0 {
		s.MaxPending = defaultPending
	}
	if o.Listen != "" {
		host, port, err := splitAddress(o.Listen)
		if err != nil {
			return nil, fmt.Errorf("%w: Listen: %w", ErrOptions, err)
		}
		s.Host, s.Port, s.DontListen = host, port, false
		if o.Password != "" {
			s.Password = o.Password
		}
	}
	if o.ClusterListen == "" {
		if len(o.Cluster) > 0 {
			return nil, fmt.Errorf("%w: Cluster without ClusterListen", ErrOptions)
		}
		return s, nil
	}
	return s, o.cluster(s)
}

func (o *Options) cluster(s *server.Options) error {
	// nats-server begins with routes only once it listens for clients. So it does, and a random password keeps everybody
	// out whom nobody has asked for.
	s.DontListen = false
	host, port, err := splitAddress(o.ClusterListen)
	if err != nil {
		return fmt.Errorf("%w: ClusterListen: %w", ErrOptions, err)
	}
	password, err := o.password()
	if err != nil {
		return err
	}
	config, err := o.certificates()
	if err != nil {
		return err
	}
	s.Cluster = server.ClusterOpts{
		Name: "noom", Host: host, Port: port, NoAdvertise: true,
		Username: user, Password: password, AuthTimeout: 2,
		TLSConfig: config, TLSTimeout: 2,
		PoolSize: 1, PingInterval: routePing, MaxPingsOut: pingsUnheard, WriteDeadline: writeDeadline,
		Compression: server.CompressionOpts{Mode: server.CompressionOff},
	}
	for _, address := range o.Cluster {
		if _, _, err := splitAddress(address); err != nil {
			return fmt.Errorf("%w: Cluster: %w", ErrOptions, err)
		}
		s.Routes = append(s.Routes, &url.URL{Scheme: "nats-route", Host: address, User: url.UserPassword(user, password)})
	}
	return nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address %s: the port is not a number up to 65535", address)
	}
	if port = int(number); port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// password returns what the secret is on routes: digits, because nats-server would take some secrets for hashes.
func (o *Options) password() (string, error) {
	secret := []byte(o.Secret)
	if o.SecretFile != "" {
		if o.Secret != "" {
			return "", fmt.Errorf("%w: both Secret and SecretFile", ErrOptions)
		}
		var err error
		if secret, err = os.ReadFile(o.SecretFile); err != nil {
			return "", fmt.Errorf("%w: SecretFile: %w", ErrOptions, err)
		}
	}
	if secret = bytes.TrimSpace(secret); len(secret) < shortestSecret {
		return "", fmt.Errorf("%w: routes need a secret of at least %d bytes", ErrOptions, shortestSecret)
	}
	sum := sha256.Sum256(append([]byte("noom routes "), secret...))
	return hex.EncodeToString(sum[:]), nil
}

// certificates returns nil if there are none.
func (o *Options) certificates() (*tls.Config, error) {
	if o.CA == "" && o.Cert == "" && o.Key == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(o.CA)
	if err != nil {
		return nil, fmt.Errorf("%w: CA: %w", ErrOptions, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: CA %s has no certificate in PEM", ErrOptions, o.CA)
	}
	pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: Cert and Key: %w", ErrOptions, err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}, nil
}
