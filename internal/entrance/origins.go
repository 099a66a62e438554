package entrance

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"

	"noom/signal"
)

// AdmitsOrigin reports whether a page of that origin may connect to that host (RFC 6455
// section 10.2): one of the host itself, or of one that a pattern fits.
func AdmitsOrigin(host, header string, patterns []string) bool {
	if header == "" {
		return true
	}
	origin, err := url.Parse(header)
	if err != nil || origin.Host == "" { // "null", for a page without one
		return slices.Contains(patterns, "*")
	}
	if ofHost(origin, host) {
		return true
	}
	name, port := signal.NormalHost(origin.Hostname()), origin.Port()
	if port != "" && port != defaultPorts[origin.Scheme] {
		name += ":" + port
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		scheme, of, has := strings.Cut(pattern, "://")
		if !has {
			of = pattern
		} else if !strings.EqualFold(scheme, origin.Scheme) {
			return false
		}
		fits, _ := path.Match(normalPattern(of), name) // a bad pattern fits nothing
		return fits
	})
}

// normalPattern is a pattern for normal forms of hosts.
func normalPattern(pattern string) string {
	name, port := signal.SplitHost(pattern)
	if name = signal.NormalHost(name); port == "" {
		return name
	}
	return name + ":" + port
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// ofHost reports whether an origin is that of a host as a request names it. A proxy that ends TLS
// before us may or may not write a port that is its scheme's default; a request without one may
// have come either way.
func ofHost(origin *url.URL, host string) bool {
	name, port := signal.SplitHost(host)
	from := cmp.Or(origin.Port(), defaultPorts[origin.Scheme])
	if signal.NormalHost(name) != signal.NormalHost(origin.Hostname()) {
		return false
	}
	return from != "" && (from == port || port == "" && (from == "80" || from == "443"))
}
