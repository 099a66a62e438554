package nats_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"noom/transport/nats"
	"noom/transport/nats/embed"
)

// TestNkey: the key of a seed lets in, and another one does not.
func TestNkey(t *testing.T) {
	known, seed := newKey(t, nkeys.CreateUser)
	_, other := newKey(t, nkeys.CreateUser)
	address := serve(t, server.Options{Nkeys: []*server.NkeyUser{{Nkey: known}}})
	tryBoth(t, nats.Options{URLs: []string{"nats://" + address}, NkeySeed: inFile(t, seed)},
		nats.Options{URLs: []string{"nats://" + address}, NkeySeed: inFile(t, other)})
}

// TestCredentials: a JWT of an account that the server knows lets in, and that of another one does not.
func TestCredentials(t *testing.T) {
	_, seed := newKey(t, nkeys.CreateOperator)
	operator, err := nkeys.FromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	operatorKey, _ := operator.PublicKey()
	accounts := &server.MemAccResolver{}
	account := func(known bool) string {
		public, seed := newKey(t, nkeys.CreateAccount)
		if known {
			claims, err := jwt.NewAccountClaims(public).Encode(operator)
			if err != nil {
				t.Fatal(err)
			}
			if err := accounts.Store(public, claims); err != nil {
				t.Fatal(err)
			}
		}
		signer, err := nkeys.FromSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		public, seed = newKey(t, nkeys.CreateUser)
		claims, err := jwt.NewUserClaims(public).Encode(signer)
		if err != nil {
			t.Fatal(err)
		}
		file, err := jwt.FormatUserConfig(claims, seed)
		if err != nil {
			t.Fatal(err)
		}
		return inFile(t, file)
	}
	good, bad := account(true), account(false)
	address := serve(t, server.Options{TrustedKeys: []string{operatorKey}, AccountResolver: accounts})
	tryBoth(t, nats.Options{URLs: []string{"nats://" + address}, Credentials: good},
		nats.Options{URLs: []string{"nats://" + address}, Credentials: bad})
}

// TestTLS: with a CA, a server is believed that the CA has signed for, and no other.
func TestTLS(t *testing.T) {
	ca, cert, key := certificates(t)
	otherCA, _, _ := certificates(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(ca)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	address := serve(t, server.Options{TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}, TLSTimeout: 2})
	good := nats.Options{URLs: []string{"nats://" + address}, CA: ca, Cert: cert, Key: key}
	b := dial(t, good)
	meet(t, b, "a", hear(t, b, "a"))
	_, plain := alone(t, "127.0.0.1:0")
	for name, o := range map[string]nats.Options{
		"another CA":            {URLs: good.URLs, CA: otherCA, Cert: cert, Key: key},
		"no certificate":        {URLs: good.URLs, CA: ca},
		"no CA":                 {URLs: good.URLs, Cert: cert, Key: key},
		"a server without TLS":  {URLs: at(plain).URLs, CA: ca},
		"a scheme that has TLS": {URLs: []string{"tls://" + address}},
	} {
		b, err := nats.Dial(o)
		if err == nil {
			b.Close()
		}
		if !errors.Is(err, nats.ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRoutesTLS: servers with certificates find each other, and one without or with those of another CA is left out.
func TestRoutesTLS(t *testing.T) {
	ca, cert, key := certificates(t)
	otherCA, otherCert, otherKey := certificates(t)
	first := start(t, embed.Options{ClusterListen: "127.0.0.1:0", Secret: secret, CA: ca, Cert: cert, Key: key})
	named := []string{first.ClusterAddr().String()}
	plain := start(t, embed.Options{ClusterListen: "127.0.0.1:0", Cluster: named, Secret: secret})
	other := start(t, embed.Options{ClusterListen: "127.0.0.1:0", Cluster: named, Secret: secret, CA: otherCA, Cert: otherCert, Key: otherKey})
	second := start(t, embed.Options{ClusterListen: "127.0.0.1:0", Cluster: named, Secret: secret, CA: ca, Cert: cert, Key: key})
	until(t, "there is a route", func() bool { return first.Routes() == 1 && second.Routes() == 1 })
	if plain.Routes() != 0 || other.Routes() != 0 {
		t.Errorf("routes without a certificate: %d, with another: %d", plain.Routes(), other.Routes())
	}
}

func tryBoth(t *testing.T, good, bad nats.Options) {
	t.Helper()
	b := dial(t, good)
	meet(t, b, "a", hear(t, b, "a"))
	b, err := nats.Dial(bad)
	if err == nil {
		b.Close()
	}
	if !errors.Is(err, nats.ErrRefused) {
		t.Errorf("the wrong one: %v", err)
	}
}

// serve starts a server as an operator may have one, and returns its address.
func serve(t *testing.T, o server.Options) string {
	t.Helper()
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return s.Addr().String()
}

func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) (public string, seed []byte) {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	if seed, err = pair.Seed(); err != nil {
		t.Fatal(err)
	}
	return public, seed
}

func inFile(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// certificates makes a CA, and what it has signed for this machine.
func certificates(t *testing.T) (ca, cert, key string) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &signed, &signed, pair.Public(), pair)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	cert = inFile(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key = inFile(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return cert, cert, key
}
