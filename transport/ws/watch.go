package ws

import (
	"context"
	"sync/atomic"

	"noom/signal"
)

// watches end a connection when a context ends during a call that was given it. The last one is
// kept from call to call, because most calls have the same: to register with a context again costs
// more than to carry a frame.
type watches struct{ last atomic.Pointer[watch] }

type watch struct {
	ctx   context.Context
	calls atomic.Int32 // under way
	stop  func() bool
}

// begin begins a call of l with ctx. Its error says that ctx has ended. The watch
// is nil if ctx never ends.
func (ws *watches) begin(ctx context.Context, l signal.Aborter) (*watch, error) {
	done := ctx.Done()
	if done == nil {
		return nil, nil
	}
	for {
		w := ws.last.Load()
		if w == nil || w.ctx.Done() != done {
			w = ws.replace(ctx, l)
		}
		w.calls.Add(1)
		if ws.last.Load() != w { // it was replaced meanwhile, and may be idle
			ws.end(w)
			continue
		}
		if err := ctx.Err(); err != nil {
			ws.end(w)
			return nil, err
		}
		return w, nil
	}
}

func (ws *watches) replace(ctx context.Context, l signal.Aborter) *watch {
	w := &watch{ctx: ctx}
	w.stop = context.AfterFunc(ctx, func() {
		if w.calls.Load() > 0 {
			l.Abort()
		}
	})
	if old := ws.last.Swap(w); old != nil && old.calls.Load() == 0 {
		old.stop()
	}
	return w
}

// end ends a call.
func (ws *watches) end(w *watch) {
	if w != nil && w.calls.Add(-1) == 0 && ws.last.Load() != w {
		w.stop()
	}
}

// stop says that no further call will come.
func (ws *watches) stop() {
	if w := ws.last.Load(); w != nil {
		w.stop()
	}
}
