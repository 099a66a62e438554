package ws_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"noom"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/auto"
	"noom/transport/ws"
)

// TestSeveralHubs: the members of a room meet at one of several hubs, each with a proof for that one. The error of a join that
// none of them takes names all.
func TestSeveralHubs(t *testing.T) {
	var joins [3]atomic.Int32
	var urls []string
	var servers []*httptest.Server
	for i := range joins {
		h := hub.New(&hub.Config{Authorize: func(context.Context, hub.Request) (hub.Grant, error) {
			joins[i].Add(1)
			return hub.Grant{}, nil
		}})
		server := httptest.NewUnstartedServer(nil)
		server.Config.Handler = ws.Handler(h, &ws.AcceptOptions{Hosts: []string{server.Listener.Addr().String()}})
		server.Start()
		t.Cleanup(server.Close)
		servers, urls = append(servers, server), append(urls, server.URL)
	}
	enter := func(d noom.Dialer) error {
		room, err := noom.Join(t.Context(), d, "데모", nil)
		if err != nil {
			return err
		}
		return room.Leave(t.Context())
	}
	order := signal.OrderHubs("데모", urls)
	for n, d := range []noom.Dialer{ws.Dialer{URLs: urls}, ws.Dialer{URL: urls[2], URLs: urls[:2]}, &auto.Dialer{URLs: urls}} {
		if err := enter(d); err != nil {
			t.Fatal(err)
		}
		if got := joins[slices.Index(urls, order[0])].Load(); got != int32(n+1) {
			t.Errorf("%d members have met at %s", got, order[0])
		}
	}
	servers[slices.Index(urls, order[0])].Close()
	if err := enter(ws.Dialer{URLs: urls}); err != nil || joins[slices.Index(urls, order[1])].Load() != 1 {
		t.Errorf("the next hub: %v", err)
	}
	for _, server := range servers {
		server.Close()
	}
	err := enter(ws.Dialer{URLs: append(urls, "ws://user:pw@127.0.0.1:1/ws")})
	if err == nil || strings.Contains(err.Error(), ":pw") {
		t.Error(err)
	}
	for i, url := range order {
		if !strings.Contains(err.Error(), url+": ws: dial ") {
			t.Errorf("%v: does not name hub %d, %s", err, i, url)
		}
	}
	if link, err := (ws.Dialer{URLs: urls}).Dial(t.Context()); err == nil {
		t.Errorf("dialled %v", link)
	}
}
