// Package http carries noom's signaling over plain HTTP requests, for networks that let nothing else
// through: a [Dialer] for members and a [Handler] for a hub. Frames go up in POST requests and come
// down as server-sent events in one streamed response, or, where a proxy holds back what is
// streamed, in one response after the other (long polling). The package noom/transport/auto tries
// WebSocket first.
//
//	d := http.Dialer{URL: "https://example.com/http"}    // noom/transport/http
//	mux.Handle("/http", http.Handler(hub.New(nil), nil)) // beside "/ws"
//
// A connection is a session at the server, with a name that cannot be guessed. What is sent in each
// direction is numbered and kept until the other end has it. So requests may be cut, lost, repeated
// or moved to another network: each frame still arrives once and in order. PROTOCOL.md section 1.1
// has the format.
package http
