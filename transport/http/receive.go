package http

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"noom/internal/entrance"
	"noom/signal"
)

// This file brings frames down to a member.

// bringDown asks for frames, again and again.
func (l *link) bringDown() {
	for l.ctx.Err() == nil {
		err := l.ask()
		if err != nil && !errors.Is(err, errGivenUp) {
			l.failed(err)
		}
		l.mu.Lock()
		pause := l.mode.ended(l.now(), err != nil && !errors.Is(err, errGivenUp))
		over := l.inEnd != nil
		l.mu.Unlock()
		if over {
			return
		}
		l.pause(pause)
	}
}

// errGivenUp says that the mode gave up a request.
var errGivenUp = errors.New("given up")

// ask makes one request for frames and takes what comes.
func (l *link) ask() error {
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	stream, from := l.beginDown(cancel)
	defer l.endDown()
	err := l.fetch(ctx, stream, from)
	if ctx.Err() != nil && l.ctx.Err() == nil {
		return errGivenUp
	}
	return err
}

func (l *link) beginDown(cancel context.CancelFunc) (stream bool, from int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveUp = cancel
	stream = l.mode.begin(l.now())
	l.rearm()
	l.told, l.unsaid = l.mode.got, 0 // the request says it
	return stream, l.mode.got
}

func (l *link) endDown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveUp = nil
}

// rearm sees to it that look is called when it is time; the caller holds l.mu.
func (l *link) rearm() {
	if due := l.mode.due(); due != 0 && l.giveUp != nil {
		l.watch.Reset(due - l.now())
	}
}

// look gives up the request that brings frames down, if it is time.
func (l *link) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.giveUp == nil:
	case l.mode.check(l.now()):
		l.giveUp()
		l.giveUp = nil
	default:
		l.rearm()
	}
}

func (l *link) fetch(ctx context.Context, stream bool, from int64) error {
	request, err := l.request(ctx, http.MethodGet, nil)
	if err != nil {
		return err
	}
	request.Header.Set(cursorHeader, strconv.FormatInt(from, 10))
	request.Header.Set("Accept-Encoding", "identity") // what is compressed is held back until it is much
	if stream {
		request.Header.Set("Accept", "text/event-stream")
	}
	response, err := l.client.Do(request)
	if err != nil {
		return entrance.WithoutURL(err)
	}
	defer func() { _ = response.Body.Close() }() // it is read, or of no use
	if err = checkStatus(response); err != nil {
		return err
	}
	l.succeeded()
	events := newEventReader(watched{response.Body, l})
	for {
		e, err := events.next()
		if err == nil {
			err = l.bring(ctx, e)
		}
		switch broken, is := errors.AsType[*signal.Error](err); {
		case is: // what came is none of ours
			l.breakOff(broken)
			return &statusError{broken, false}
		case errors.Is(err, io.EOF) || errors.Is(err, errEnded):
			return nil
		case err != nil:
			return err
		}
	}
}

// watched notes that something comes.
type watched struct {
	io.Reader

	link *link
}

// Read implements [io.Reader].
func (w watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.link.mu.Lock()
		w.link.bad = 0
		w.link.mode.bytes(w.link.now())
		w.link.rearm()
		w.link.mu.Unlock()
	}
	return n, err
}

// errEnded says that the hub has closed.
var errEnded = errors.New("the end")

// bring takes an event, once there is room for it.
func (l *link) bring(ctx context.Context, e event) error {
	for {
		took, err := l.takeEvent(e)
		if took || err != nil {
			return err
		}
		l.setBusy(true)
		select {
		case <-l.taken:
		case <-ctx.Done():
			return ctx.Err()
		}
		l.setBusy(false)
	}
}

func (l *link) setBusy(busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mode.hold(l.now(), busy)
	l.rearm()
}

// takeEvent takes an event that is the next. It reports false if there is no room.
func (l *link) takeEvent(e event) (took bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer poke(l.arrived)
	switch {
	case e.number <= l.mode.got:
		return true, nil // it came before
	case e.number > l.mode.got+1:
		return true, signal.Errorf(signal.CodeMalformed, "", "an event was left out")
	case e.end != nil:
		l.left = true
		if l.inEnd == nil {
			l.inEnd = closedBy(e.end)
		}
		l.mode.event(l.now(), e.number)
		poke(l.outbound) // says that it has come
		poke(l.room)
		return true, errEnded
	case !l.accept(e.frame):
		return false, nil
	}
	l.mode.event(l.now(), e.number)
	l.rearm()
	if l.unsaid += max(len(e.frame), leastWeight); l.unsaid >= ackBytes {
		poke(l.outbound)
	}
	return true, nil
}

// breakOff ends the connection with what is wrong with what has come.
func (l *link) breakOff(e *signal.Error) {
	l.mu.Lock()
	if l.inEnd == nil {
		l.inEnd, l.broken = e, e
	}
	poke(l.arrived)
	l.mu.Unlock()
}
