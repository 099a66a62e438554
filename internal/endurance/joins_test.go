package endurance

import (
	"context"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/longtest"
	"noom/signal/hub"
	"noom/transport/mem"
)

// TestJoinsAndLeaves: guests join a room one after the other, connect to the resident, and
// leave; every fourth leaves before it is connected. After the last, the hub and the resident
// hold no more goroutines and memory than after the first few.
func TestJoinsAndLeaves(t *testing.T) {
	longtest.Only(t)
	h := hub.New(nil)
	d := mem.Dialer(h)
	resident := joinRoom(t, d, "지우")
	var drained sync.WaitGroup
	drained.Go(func() {
		for range resident.Events(context.Background()) { // they have to be taken
		}
	})
	defer drained.Wait()
	defer func() { _ = resident.Leave(context.Background()) }() // the test is over

	visit := func(n int) {
		guest := joinRoom(t, d, "손님")
		defer func() { _ = guest.Leave(context.Background()) }() // never fails
		if n%4 == 3 {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		connectedPeer(ctx, t, guest)
	}
	// The first visits fill what is kept, such as 64 links asleep.
	early := min(*joins/3, 300)
	for n := range early {
		visit(n)
	}
	goroutines, heap := awaitIdle(h)
	began := time.Now()
	for n := early; n < *joins; n++ {
		visit(n)
	}
	took := time.Since(began)
	goroutinesAfter, heapAfter := awaitIdle(h)
	t.Logf("%d joins and leaves, one in %v: goroutines %d after %d of them, %d at the end; heap %d KiB, %d KiB",
		*joins, (took / time.Duration(*joins-early)).Round(time.Millisecond),
		goroutines, early, goroutinesAfter, heap>>10, heapAfter>>10)
	if goroutinesAfter > goroutines+4 {
		t.Error("goroutines are left behind")
	}
	// A leak of 1 KiB a visit would be 10 MiB in the long form.
	if most := heap + heap/4 + 1<<20; heapAfter > most {
		t.Errorf("the heap grew beyond %d KiB", most>>10)
	}
}

func joinRoom(t *testing.T, d noom.Dialer, name string) noom.Room {
	t.Helper()
	r, err := noom.Join(t.Context(), d, "데모", &noom.Config{Name: name, Settings: func(s *webrtc.SettingEngine) {
		s.SetIncludeLoopbackCandidate(true)
		s.SetIPFilter(net.IP.IsLoopback)
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// awaitIdle waits until the hub has one member and the number of goroutines no longer falls,
// and returns that number and the size of the heap.
func awaitIdle(h *hub.Hub) (goroutines int, heap uint64) {
	goroutines = runtime.NumGoroutine()
	deadline := time.Now().Add(patience)
	for calm := 0; calm < 10 && time.Now().Before(deadline); calm++ {
		<-time.After(100 * time.Millisecond)
		if n := runtime.NumGoroutine(); n < goroutines || len(h.Members("데모")) != 1 {
			goroutines, calm = n, 0
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // frees what the finalizers of the first have released
	runtime.ReadMemStats(&m)
	return goroutines, m.HeapAlloc
}
