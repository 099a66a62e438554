package connection

import (
	"net/netip"
	"testing"

	"github.com/pion/webrtc/v4"
)

func TestBegins(t *testing.T) {
	here := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")}
	host, relay := webrtc.ICECandidateTypeHost, webrtc.ICECandidateTypeRelay
	for _, c := range []struct {
		candidate webrtc.ICECandidate
		want      bool
	}{
		{webrtc.ICECandidate{Typ: host, Address: "10.0.0.1"}, true},
		{webrtc.ICECandidate{Typ: host, Address: "::ffff:10.0.0.1"}, true},
		{webrtc.ICECandidate{Typ: host, Address: "2001:db8::1"}, true},
		{webrtc.ICECandidate{Typ: host, Address: "10.0.0.2"}, false},
		{webrtc.ICECandidate{Typ: host, Address: "4a1b.local"}, true}, // unknown
		{webrtc.ICECandidate{Typ: relay, Address: "192.0.2.1", RelatedAddress: "10.0.0.1"}, true},
		{webrtc.ICECandidate{Typ: relay, Address: "192.0.2.1", RelatedAddress: "10.0.0.2"}, false},
		{webrtc.ICECandidate{Typ: relay, Address: "192.0.2.1", RelatedAddress: "0.0.0.0"}, true},
	} {
		if got := isAtAddress(&c.candidate, here); got != c.want {
			t.Errorf("%v: %v", c.candidate, got)
		}
	}
}
