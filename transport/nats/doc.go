// Package nats is a bus between hubs, over core NATS.
//
//	bus, err := nats.Dial(nats.Options{URLs: []string{"nats://10.0.0.1:4222"}})
//	cancel, err := bus.Subscribe("noom.east.beat", func(data []byte) { ... })
//	err = bus.Publish("noom.east.beat", data)
//
// Messages come at most once. Those of one publisher come in the order in which it has published them, whatever their
// subjects, as long as it stays connected to the same server. Nothing is stored: what is published while the bus is cut
// off is an error, and what had not left by the time that the connection was lost is lost with it. After a cut nothing
// comes that is ten seconds old, which the defaults of NATS do not promise.
//
// A lost connection is dialled again for ever. noom/transport/nats/embed has a server of its own for each hub, so that a
// few hubs need no other process.
package nats
