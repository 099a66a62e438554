package noomtest

import (
	"errors"
	"slices"
	"time"
)

// Cut cuts the network between each two of these hosts, packets under way
// included; with one name, between that host and all others, the TURN server
// included. Signaling goes on.
func (w *World) Cut(hosts ...string) {
	w.t.Helper()
	w.set("Cut", hosts, func(p *path) { p.cut = true })
}

// Heal undoes Cut and OneWay: for these hosts as Cut names them, or for all
// without any name.
func (w *World) Heal(hosts ...string) {
	w.t.Helper()
	w.set("Heal", hosts, func(p *path) { p.cut = false })
}

// Loss sets the share of packets, 0 to 1, that get lost between these hosts,
// as Cut names them.
func (w *World) Loss(share float64, hosts ...string) {
	w.t.Helper()
	w.set("Loss", hosts, func(p *path) { p.loss = share })
}

// Latency sets how long packets take between these hosts, as Cut names them.
func (w *World) Latency(d time.Duration, hosts ...string) {
	w.t.Helper()
	w.set("Latency", hosts, func(p *path) { p.latency = d })
}

// OneWay cuts the network in one direction alone.
func (w *World) OneWay(from, to string) {
	w.t.Helper()
	w.place("OneWay", from)
	w.place("OneWay", to)
	w.note("OneWay: nothing gets from %s to %s", from, to)
	w.net.change(from, to, func(p *path) { p.cut = true })
}

func (w *World) set(what string, hosts []string, f func(*path)) {
	w.t.Helper()
	w.alive(what)
	for _, h := range hosts {
		w.place(what, h)
	}
	w.note("%s %v", what, hosts)
	switch len(hosts) {
	case 0:
		w.net.change("", "", f)
	case 1:
		w.net.change(hosts[0], "", f)
		w.net.change("", hosts[0], f)
	default:
		for _, a := range hosts {
			for _, b := range hosts {
				if a != b {
					w.net.change(a, b, f)
				}
			}
		}
	}
}

// place fails the test if there is no such place on the network.
func (w *World) place(what, name string) {
	w.t.Helper()
	if name != TURNName || w.turn == nil {
		w.known(what, name)
	}
}

// NewAddress gives a host another address, as a telephone gets one that
// leaves its Wi-Fi. Its old sockets are dead, and its connection to the hub breaks.
func (w *World) NewAddress(name string) {
	w.t.Helper()
	h := w.known("NewAddress", name)
	w.note("%s has a new address", name)
	if err := h.attach(); err != nil {
		w.t.Fatalf("noomtest: NewAddress: %v", err)
	}
	w.net.breakMoved(name)
	h.breakLines(errors.New("noomtest: the address changed"))
}

// CutSignaling breaks a host's connection to its hub and refuses new ones.
func (w *World) CutSignaling(name string) {
	w.t.Helper()
	h := w.known("CutSignaling", name)
	w.note("signaling of %s is cut", name)
	h.setOffline(true, false)
	h.breakLines(errOffline)
}

// HealSignaling lets a host connect to a hub again.
func (w *World) HealSignaling(name string) {
	w.t.Helper()
	h := w.known("HealSignaling", name)
	w.note("signaling of %s is healed", name)
	h.setOffline(false, false)
}

// Sleep closes a host's laptop for d and returns when it is open again. Nothing gets in or out
// meanwhile, and no end notices by itself. Its goroutines go on, because no kit can stop them; for
// the others it is as if they did not.
func (w *World) Sleep(name string, d time.Duration) {
	w.t.Helper()
	h := w.known("Sleep", name)
	w.note("%s sleeps for %v", name, d)
	h.setOffline(true, true)
	w.set("Cut", []string{name}, func(p *path) { p.cut = true })
	time.Sleep(d)
	w.set("Heal", []string{name}, func(p *path) { p.cut = false })
	h.setOffline(false, false)
	w.note("%s is awake", name)
	h.breakLines(errors.New("noomtest: the connection did not survive the sleep"))
}

func (h *host) setOffline(offline, silent bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.offline, h.silent = offline, silent
}

func (h *host) breakLines(why error) {
	h.mu.Lock()
	lines := slices.Clone(h.lines)
	h.lines = nil
	h.mu.Unlock()
	for _, l := range lines {
		l.breakOff(why)
	}
}
