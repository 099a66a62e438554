// Package acmetest holds the test of browser-server's certificates against Pebble, the ACME server
// with which Let's Encrypt tests. It is a module of its own, so that Pebble is no dependency of
// noom's. It has only tests:
//
//	go test -C internal/acmetest ./...
package acmetest
