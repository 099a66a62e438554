package serve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"noom/signal/hub"
	"noom/transport/nats"
	"noom/transport/nats/embed"
)

// This file is the -nats flag: hubs of several such programs that are one.

// embedded is the -nats that needs no other program.
const embedded = "embed"

// clusterOptions say how hubs reach each other; zero: there is one.
type clusterOptions struct {
	nats     string // URLs with commas, or embedded
	optional bool
	listen   string   // embedded: where the other servers come in
	others   []string // embedded: where they are
	secret   string   // embedded: a file
}

// check refuses what does not go together.
func (o *clusterOptions) check(others string) error {
	for other := range strings.SplitSeq(others, ",") {
		if other = strings.TrimSpace(other); other == "" {
			continue
		}
		if _, port, err := net.SplitHostPort(other); err != nil || port == "" {
			return fmt.Errorf("-cluster %s: want HOST:PORT of each server's -cluster-listen, with commas", other)
		}
		o.others = append(o.others, other)
	}
	about := o.listen != "" || o.secret != "" || len(o.others) > 0
	switch {
	case o.optional && o.nats == "":
		return errors.New("-nats-optional is about -nats, which is not given")
	case about && o.nats != embedded:
		return errors.New("-cluster, -cluster-listen and -cluster-secret are about -nats embed")
	case o.nats == embedded && (o.listen == "" || o.secret == ""):
		return errors.New("-nats embed needs -cluster-listen, for the other servers, and -cluster-secret, which all have")
	}
	return nil
}

// openCluster connects the hub with others.
func (f *front) openCluster(config *hub.Config, stdout io.Writer) error {
	o := &f.cluster
	if o.nats == "" {
		return nil
	}
	options := nats.Options{Name: f.name, Optional: o.optional}
	dial := nats.Dial
	if o.nats == embedded {
		server, err := embed.Start(embed.Options{ClusterListen: o.listen, Cluster: o.others, SecretFile: o.secret})
		if err != nil {
			return fmt.Errorf("-nats embed: %w", err)
		}
		f.closing = append(f.closing, func() error { server.Close(); return nil })
		_, _ = fmt.Fprintf(stdout, "other servers of the cluster reach this one at %s\n", server.ClusterAddr())
		dial = server.Dial
	} else {
		for url := range strings.SplitSeq(o.nats, ",") {
			options.URLs = append(options.URLs, strings.TrimSpace(url))
		}
	}
	bus, err := dial(options)
	switch {
	case errors.Is(err, nats.ErrUnreachable):
		return fmt.Errorf("-nats: %w; with -nats-optional the hub begins alone", err)
	case err != nil:
		return fmt.Errorf("-nats: %w", err)
	}
	f.closing = append([]func() error{func() error { bus.Close(); return nil }}, f.closing...) // before its server
	config.Cluster = &hub.Cluster{Backplane: bus, Optional: o.optional}
	return nil
}
