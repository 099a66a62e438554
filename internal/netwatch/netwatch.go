// Package netwatch notices that the network of this machine may have changed: an address
// came or went ([Watch]), or the machine has slept ([Slept]). It owns the process's only
// watcher of interfaces, which runs while there are calls of Watch that were not stopped.
package netwatch

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/transport/v5/netchange"
)

// addressesSettle is how long to wait after a change of interfaces, because the system
// reports one change many times within a moment.
const addressesSettle = 250 * time.Millisecond

// processWatcher watches the interfaces of this machine for all callers of Watch.
var processWatcher watcher

// Watch calls changed, from a goroutine of its own, after each change of interfaces or
// addresses, with the current addresses, until stop is called. The addresses are nil if
// they cannot be read. changed must not block.
func Watch(changed func([]netip.Addr)) (stop func(), err error) { return processWatcher.watch(changed) }

// watcher calls functions when the interfaces or addresses of this machine have changed.
type watcher struct {
	mu       sync.Mutex // held during the calls, so that none comes after its stop
	watchers map[*func([]netip.Addr)]struct{}
	end      func() // ends the goroutine and waits for it
}

func (w *watcher) watch(changed func([]netip.Addr)) (stop func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.watchers) == 0 {
		if err := w.begin(); err != nil {
			return nil, err
		}
	}
	key := &changed
	w.watchers[key] = struct{}{}
	return sync.OnceFunc(func() {
		w.mu.Lock()
		delete(w.watchers, key)
		end := func() {}
		if len(w.watchers) == 0 {
			end = w.end
		}
		w.mu.Unlock()
		end()
	}), nil
}

// begin needs w.mu.
func (w *watcher) begin() error {
	d, err := netchange.NewDetector()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	w.watchers = make(map[*func([]netip.Addr)]struct{})
	w.end = func() {
		cancel()
		<-done
	}
	go func() {
		defer close(done)
		defer func() { _ = d.Close() }()
		w.run(ctx, d)
	}()
	return nil
}

func (w *watcher) run(ctx context.Context, d *netchange.Detector) {
	if _, err := d.Check(ctx); err != nil { // the first reports the current state
		return
	}
	for {
		if _, err := d.Check(ctx); err != nil {
			return
		}
		select {
		case <-time.After(addressesSettle):
		case <-ctx.Done():
			return
		}
		addresses := localAddresses()
		w.mu.Lock()
		for changed := range w.watchers {
			(*changed)(addresses)
		}
		w.mu.Unlock()
	}
}

// localAddresses returns this machine's addresses, or nil if they cannot be read.
func localAddresses() (list []netip.Addr) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				list = append(list, addr.Unmap())
			}
		}
	}
	return list
}
