package main

import (
	"strings"
	"testing"

	"noom/internal/browsertest"
)

// A browser at the self-signed page has what it gives to secure pages alone.
func TestSelfSignedPage(t *testing.T) { browsertest.EachKindIfAsked(t, testSelfSignedPage) }

func testSelfSignedPage(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	url := serveHere(t, "-tls-self-signed", "-hosts", "noom.lan")
	b := kind.Start(t, browsertest.AnyCertificate, browsertest.NoomLANIsHere)
	tab := b.Open(strings.Replace(url, "127.0.0.1", "noom.lan", 1)+"/?autojoin=1&name=지우#/데모", "")
	tab.Wait("a call with a camera", `isSecureContext && location.protocol === 'https:' && !document.getElementById('call').hidden && document.querySelector('[data-self]').dataset.camera === 'on'`)
}
