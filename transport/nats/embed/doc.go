// Package embed is a NATS server in this process, so that a few hubs need no other:
//
//	server, err := embed.Start(embed.Options{
//		ClusterListen: "10.0.0.1:6222",
//		Cluster:       []string{"10.0.0.2:6222", "10.0.0.3:6222"},
//		SecretFile:    "/etc/noom/cluster-secret",
//	})
//	bus, err := server.Dial(nats.Options{})
//
// Each server has a route to each other one, which is well for up to sixteen or so. They need not be started in an order,
// and one that was named to any of the others is found by all.
//
// The routes are for those who know the secret. Without certificates the secret and all messages pass in the clear, so
// that whoever can listen on the network can be a hub: use certificates, or a network of your own.
package embed
