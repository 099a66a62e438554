package turn

import (
	"net"
	"net/netip"
	"testing"
)

func TestPermittedPeers(t *testing.T) {
	outer := netip.MustParseAddr("10.1.2.3") // a server on a LAN relays between its own relays
	strict, lax := newRelays(outer, outer, false, Limits{}), newRelays(outer, outer, true, Limits{})
	for _, r := range []*relays{strict, lax} {
		r.own.list = func() (list []net.Addr, err error) {
			for _, own := range []string{"10.1.2.3/24", "8.8.4.4/26", "9.1.2.3/31", "2606:4700:7::7/64", "fe80::1/64"} {
				ip, network, err := net.ParseCIDR(own)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, &net.IPNet{IP: ip, Mask: network.Mask})
			}
			return list, nil
		}
	}
	for address, want := range map[string]bool{
		"8.8.8.8": true, "::ffff:8.8.8.8": true, "2606:4700::1111": true, "10.1.2.3": true, "::ffff:10.1.2.3": true, "172.32.0.1": true,
		"10.1.2.4": false, "172.16.0.1": false, "192.168.0.1": false, "127.0.0.1": false, "127.8.8.8": false,
		"169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "198.18.0.1": false, "224.0.0.1": false,
		"255.255.255.255": false, "240.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:192.168.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "::7f00:1": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "fec0::1": false,
		"::ffff:0:127.0.0.1": false, "64:ff9b:1::a00:1": false, "100::1": false, "3fff::1": false, "4000::1": false,
		"2606:4700::5efe:10.1.2.4": false, "2606:4700::200:5efe:10.1.2.4": false, "2606:4700::300:5efe:10.1.2.4": true,
		// This machine is on the Internet, too.
		"8.8.4.4": false, "::ffff:8.8.4.4": false, "8.8.4.63": false, "8.8.4.0": false, "8.8.4.64": true, "9.1.2.3": false, "9.1.2.2": true,
		"2606:4700:7::7": false,
		"2606:4700:7::8": false, "2606:4700:7:1::8": true, // nor are its neighbours reached, which have public addresses
	} {
		peer := net.ParseIP(address)
		if got := strict.permits(peer); got != want {
			t.Errorf("%s is permitted: %v", address, got)
		}
		if !lax.permits(peer) {
			t.Errorf("everywhere, it refuses %s", address)
		}
	}
	if strict.permits(net.IP{1, 2, 3}) {
		t.Error("permits an address of three bytes")
	}
}
