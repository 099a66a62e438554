package ws

import (
	"crypto/x509"
	"net/http"
	"net/netip"

	"noom/internal/entrance"
	"noom/signal"
)

// OwnAddress stands in a list of hosts for the IP address, with the port, that a
// connection has come in on.
const OwnAddress = entrance.OwnAddress

// OnlyHosts refuses, with status 421, requests for other hosts than these, which are as in
// [AcceptOptions]. It is for the handlers next to a [Handler], such as the list of rooms.
func OnlyHosts(next http.Handler, hosts ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !entrance.IsForHosts(r, hosts) {
			entrance.Refuse(w, r, entrance.Misdirected(r), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// CertificateHosts are the hosts that a certificate is for, for a server that
// ends TLS itself.
func CertificateHosts(leaf *x509.Certificate) []string {
	hosts := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			hosts = append(hosts, signal.NormalHost(a.Unmap().String()))
		}
	}
	return hosts
}
