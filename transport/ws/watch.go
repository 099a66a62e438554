package ws

import (
	"context"
	"sync/atomic"
)

// A watch ends a link when a context ends during a call that was given it. It
// is kept from call to call, for most are given the same: to register with a
// context anew costs more than to carry a frame.
type watch struct {
	ctx   context.Context
	calls atomic.Int32 // under way
	stop  func() bool
}

// watched begins a call with ctx. Its error says that ctx has ended. The watch
// is nil if ctx never ends.
func (l *link) watched(ctx context.Context) (*watch, error) {
	done := ctx.Done()
	if done == nil {
		return nil, nil
	}
	for {
		w := l.watch.Load()
		if w == nil || w.ctx.Done() != done {
			w = l.replaceWatch(ctx)
		}
		w.calls.Add(1)
		if l.watch.Load() != w { // it was replaced meanwhile, and may be idle
			l.unwatched(w)
			continue
		}
		if err := ctx.Err(); err != nil {
			l.unwatched(w)
			return nil, err
		}
		return w, nil
	}
}

func (l *link) replaceWatch(ctx context.Context) *watch {
	w := &watch{ctx: ctx}
	w.stop = context.AfterFunc(ctx, func() {
		if w.calls.Load() > 0 {
			l.Abort()
		}
	})
	if old := l.watch.Swap(w); old != nil && old.calls.Load() == 0 {
		old.stop()
	}
	return w
}

// unwatched ends a call.
func (l *link) unwatched(w *watch) {
	if w != nil && w.calls.Add(-1) == 0 && l.watch.Load() != w {
		w.stop()
	}
}
