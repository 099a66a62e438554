package noom_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"noom"
	"noom/signal"
)

// TestPanicCostsOneLink: what panics while a link takes a description or a
// candidate ends that epoch, with an error that says so, and nothing else. What panics here
// is Config.Trace, which is called from the same place as a parser: the peer is not blamed.
func TestPanicCostsOneLink(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		var armed atomic.Bool
		a := w.join("r", "지우", &noom.Config{Trace: func(e noom.Trace) {
			if strings.HasPrefix(e.Note, "remote description") && e.Peer.Name == "bob" && armed.CompareAndSwap(true, false) {
				panic("index out of range")
			}
		}})
		c := w.join("r", "c", nil)
		until(t, a, connected)
		beside, _ := a.Peer(c.Self().ID)
		before := beside.Connection()
		armed.Store(true)
		b := w.join("r", "bob", nil)
		failed := until(t, a, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerFailed })
		if failed.Peer.ID() != b.Self().ID || errors.Is(failed.Err, noom.ErrDescription) || !strings.Contains(failed.Err.Error(), "index out of range") {
			t.Errorf("%s failed with %v", failed.Peer.Name(), failed.Err)
		}
		until(t, a, func(e noom.PeerStateChanged) bool { return connected(e) && e.Peer == failed.Peer })
		if beside.Connection() != before || beside.State() != noom.PeerConnected {
			t.Error("the call beside it was disturbed")
		}
	})
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("r", "a", &noom.Config{Trace: func(e noom.Trace) {
			if strings.HasPrefix(e.Note, "candidates dropped") {
				panic("slice bounds out of range")
			}
		}})
		m := newMallory(t, w)
		defer func() { _ = m.line.Close() }()
		m.say(signal.TypeCandidates, `{"ufrag":"x","candidates":[{"candidate":"x"}]}`)
		failed := until(t, a, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerFailed })
		if errors.Is(failed.Err, noom.ErrDescription) || !strings.Contains(failed.Err.Error(), "slice bounds") {
			t.Errorf("failed with %v", failed.Err)
		}
	})
}
