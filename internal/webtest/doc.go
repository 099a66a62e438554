// Package webtest is for tests of transports that begin with an HTTP request: a network in memory,
// which works in the virtual time of testing/synctest; proxies that remove upgrades, hold back
// responses, or cut connections; and what each of those transports owes the names of a hub. It keeps
// no state of its own.
package webtest
