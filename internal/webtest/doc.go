// Package webtest is what stands between a client and a web server, for tests: a network in memory,
// which works in the virtual time of testing/synctest, and proxies that remove upgrades, hold back
// responses, or cut connections. It keeps no state of its own.
package webtest
