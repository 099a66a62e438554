package serve

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mdp/qrterminal/v3"
)

// tlsOptions say how the page is served over https, which a browser requires before it gives a page
// from another machine the camera.
type tlsOptions struct {
	selfSigned bool
	cert, key  string // PEM files; empty: none
	acme       acmeOptions
}

// check refuses what does not go together.
func (o *tlsOptions) check() error {
	switch {
	case o.selfSigned && (o.cert != "" || o.key != ""):
		return errors.New("-tls-self-signed makes a certificate of its own: leave -tls-cert and -tls-key out, or it")
	case o.cert != "" && o.key == "":
		return errors.New("-tls-cert needs the -tls-key that belongs to it")
	case o.key != "" && o.cert == "":
		return errors.New("-tls-key needs the -tls-cert that it belongs to")
	case o.acme.wanted() && (o.selfSigned || o.cert != ""):
		return errors.New("-domain gets a certificate of its own: leave -tls-self-signed and -tls-cert out, or it")
	}
	return o.acme.check()
}

func (o *tlsOptions) wanted() bool { return o.selfSigned || o.cert != "" || o.acme.wanted() }

// certificate reads the certificate or makes one, for these addresses.
func (o *tlsOptions) certificate(addresses []netip.Addr) (tls.Certificate, error) {
	if o.selfSigned {
		return selfSigned(addresses, time.Now())
	}
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return pair, fmt.Errorf("-tls-cert %s, -tls-key %s: %w", o.cert, o.key, err)
	}
	if expired := pair.Leaf.NotAfter; time.Now().After(expired) {
		return pair, fmt.Errorf("-tls-cert %s: it has expired on %s", o.cert, expired.Format(time.DateOnly))
	}
	return pair, nil
}

// An identity is what the server shows of itself over TLS.
type identity struct {
	config *tls.Config
	leaf   *x509.Certificate // nil: it comes from an ACME server
	issuer *issuer           // nil: it does not
}

// open reads or makes the certificate, for these addresses, or prepares to get it.
func (o *tlsOptions) open(addresses []netip.Addr, report, complain func(line string)) (*identity, error) {
	if o.acme.wanted() {
		i, err := o.acme.issuer(report, complain)
		if err != nil {
			return nil, err
		}
		return &identity{config: i.config(), issuer: i}, nil
	}
	pair, err := o.certificate(addresses)
	if err != nil {
		return nil, err
	}
	return &identity{leaf: pair.Leaf, config: &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}}, nil
}

// announce prints the page's addresses; port is the one by which it is reached under a name.
func (o *tlsOptions) announce(stdout io.Writer, id *identity, listening net.Addr, addr string, lan []netip.Addr, port func(name string) string) {
	name := hostname(addr)
	switch {
	case o.acme.wanted():
		name = o.acme.domains[0]
	case !o.selfSigned && name == "localhost":
		name = named(name, id.leaf)
	}
	_, _ = fmt.Fprintf(stdout, "noom is at %s\n", secureURL(name, port(name)))
	if o.selfSigned {
		o.introduce(stdout, id.leaf, listening, lan)
	}
}

// introduce prints what a phone near this machine needs.
func (o *tlsOptions) introduce(stdout io.Writer, leaf *x509.Certificate, listening net.Addr, lan []netip.Addr) {
	_, port, _ := net.SplitHostPort(listening.String()) // a listener's address has both
	var urls []string
	for _, ip := range lan {
		urls = append(urls, strings.TrimSuffix("https://"+net.JoinHostPort(ip.String(), port), ":443"))
		_, _ = fmt.Fprintf(stdout, "   also at %s\n", urls[len(urls)-1])
	}
	_, _ = fmt.Fprintf(stdout, "\nEach start makes a new certificate. Browsers warn of it; continue if they show this SHA-256 fingerprint:\n%s\n", fingerprint(leaf))
	if len(urls) > 0 {
		_, _ = fmt.Fprintln(stdout)
		qrterminal.GenerateHalfBlock(urls[0], qrterminal.L, stdout)
	}
}

// named is the name that the certificate is for, or the other if it has none.
func named(other string, leaf *x509.Certificate) string {
	for _, name := range leaf.DNSNames {
		if !strings.Contains(name, "*") {
			return name
		}
	}
	return other
}

// fingerprint is the SHA-256 of a certificate as browsers show it.
func fingerprint(leaf *x509.Certificate) string {
	sum := sha256.Sum256(leaf.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// lanAddresses returns where others in the network find a server that listens
// on addr: the addresses of this machine, private ones of IPv4 first, without
// loopback and link-local ones.
func lanAddresses(addr string) ([]netip.Addr, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ip, notIP := netip.ParseAddr(host)
	switch {
	case host == "" || notIP == nil && ip.IsUnspecified():
	case notIP == nil && !ip.IsLoopback():
		return []netip.Addr{ip}, nil
	default: // a name, which is printed as it is, or not for others
		return nil, nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("the addresses of this machine: %w", err)
	}
	var lan []netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().IsGlobalUnicast() {
			lan = append(lan, prefix.Addr())
		}
	}
	rank := func(ip netip.Addr) int {
		switch {
		case ip.Is4() && ip.IsPrivate():
			return 0
		case ip.Is4():
			return 1
		}
		return 2
	}
	slices.SortStableFunc(lan, func(a, b netip.Addr) int { return cmp.Compare(rank(a), rank(b)) })
	return lan, nil
}

// selfSigned makes a certificate for this machine that is good for a year. Its
// key stays in memory.
func selfSigned(lan []netip.Addr, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "noom on this machine"},
		NotBefore:    now.Add(-time.Hour), // for clocks that are slow
		NotAfter:     now.AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if host, unknown := os.Hostname(); unknown == nil {
		template.DNSNames = append(template.DNSNames, host)
	}
	for _, ip := range lan {
		template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}
