package main

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"noom/signal/hub"
	"noom/transport/nats"
	"noom/transport/nats/embed"
	transport "noom/transport/ws"
)

// This file is hubs that are one. All of them, and the server of NATS between them, are in one process, so that its CPU time
// is that of the whole way.

// knowEachOther is how long hubs take at most until they have found each other, and joins wait for nothing.
const knowEachOther = 10 * time.Second

// hubsHandler serves as many hubs as the contestant's name says, each under a path of its own.
func hubsHandler(name string) (http.Handler, error) {
	n := int(name[len(name)-1] - '0')
	server, err := embed.Start(embed.Options{})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	var hubs []*hub.Hub
	for i := range n {
		bus, err := server.Dial(nats.Options{})
		if err != nil {
			return nil, err
		}
		config := noomConfig()
		config.Cluster = &hub.Cluster{Backplane: bus}
		h, err := hub.Open(config)
		if err != nil {
			return nil, err
		}
		mux.Handle(hubPath(i), transport.Handler(h, nil))
		hubs = append(hubs, h)
	}
	for began := time.Now(); slices.ContainsFunc(hubs, func(h *hub.Hub) bool { return h.Stats().Cluster.Hubs < n }); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > knowEachOther {
			return nil, fmt.Errorf("%s: the hubs do not hear each other", name)
		}
	}
	time.Sleep(2 * time.Second) // until none is young
	return mux, nil
}

func hubPath(i int) string { return fmt.Sprintf("/%d/", i) }

// hubsDialect is noom's own protocol with several hubs: the members of a room of two are at different ones.
type hubsDialect struct {
	noomDialect

	hubs int
}

func (d hubsDialect) join(addr string, m member, in int) (*wire, error) {
	w, err := dial("ws://"+addr+hubPath(m.number%d.hubs), in, "noom.v1")
	if err != nil {
		return nil, err
	}
	return entered(w, joinText(m), `"type":"joined"`)
}

// latencyJoins is how many members join, one after the other, two to a room.
const latencyJoins = 400

// joinLatency is how long half of the joins take, at most, from the dial to the answer.
func joinLatency(s *server) (time.Duration, error) {
	c := newCrowd()
	defer c.leave()
	var took []time.Duration
	for i := range latencyJoins {
		began := time.Now()
		w, err := s.dialect.join(s.addr, member{10_000 + i, 10_000 + i/2}, readerBuffer)
		if err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
		c.wires = append(c.wires, w)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
