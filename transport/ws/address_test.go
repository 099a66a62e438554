package ws_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"noom"
	"noom/signal/hub"
	"noom/transport/ws"
)

func TestClientAddress(t *testing.T) {
	proxied := &ws.AcceptOptions{ClientAddress: func(r *http.Request) netip.Addr {
		a, _ := netip.ParseAddr(r.Header.Get("X-Real-Ip")) // invalid where the proxy says nothing
		return a
	}}
	for name, test := range map[string]struct {
		options *ws.AcceptOptions
		header  string
		want    netip.Addr
	}{
		"direct":         {nil, "192.0.2.7", netip.MustParseAddr("127.0.0.1")},
		"by a proxy":     {proxied, "192.0.2.7", netip.MustParseAddr("192.0.2.7")},
		"proxy is quiet": {proxied, "", netip.Addr{}},
	} {
		h := hub.New(nil)
		server := httptest.NewServer(ws.Handler(h, test.options))
		room, err := noom.Join(t.Context(), ws.Dialer{URL: server.URL, Header: http.Header{"X-Real-Ip": {test.header}}}, "데모", nil)
		if err != nil {
			t.Fatal(err)
		}
		if members := h.Members("데모"); len(members) != 1 || members[0].Address != test.want {
			t.Errorf("%s: %+v, want an address of %v", name, members, test.want)
		}
		_ = room.Leave(t.Context())
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		server.Close()
	}
}
