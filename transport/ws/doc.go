// Package ws carries noom's signaling over WebSocket (RFC 6455, subprotocol
// noom.v1): a [Dialer] for members and a [Handler] for a hub.
//
//	d := ws.Dialer{URL: "wss://example.com/ws"}
//	http.Handle("/ws", ws.Handler(hub.New(nil), nil))
//
// The same address takes the byes that pages post as they go away (PROTOCOL.md section 2), so let POST through to it.
package ws
