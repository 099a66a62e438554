// Package netwatch notices that the network of this machine may have changed:
// an address came or went ([Watch]), or the machine has slept ([Slept]). It owns
// the one watcher of interfaces in the process, which lasts while somebody watches.
package netwatch

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/transport/v5/netchange"
)

// addressesSettle is how long a change of interfaces is waited out, because a
// network that changes reports it many times within a moment.
const addressesSettle = 250 * time.Millisecond

// ofProcess watches the interfaces of this machine, once for all who ask.
var ofProcess watcher

// Watch calls changed after each change of interfaces or addresses, with the
// addresses that there are now, from a goroutine of its own, until stop is
// called. The list is nil if the system does not say. changed must not block.
func Watch(changed func([]netip.Addr)) (stop func(), err error) { return ofProcess.watch(changed) }

// watcher calls its watchers when the interfaces or addresses of this machine
// have changed.
type watcher struct {
	mu       sync.Mutex // held while a watcher is called, so that none is called after its stop
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
	if _, err := d.Check(ctx); err != nil { // the first reports what there is
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

// localAddresses returns this machine's addresses, nil if it does not say.
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
