// Package auto dials a hub over WebSocket, and over plain HTTP requests where WebSocket does not get
// through: where a proxy removes upgrades, say. It learns which works, and goes back to WebSocket when
// that does again. noom.js does the same.
//
//	d := &auto.Dialer{URL: "wss://example.com/ws"}
//	room, err := noom.Join(ctx, d, "lobby", nil)
package auto
