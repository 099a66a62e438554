package noom

import (
	"context"
	"errors"
	"fmt"
	"io"

	"noom/internal/data"
	"noom/internal/files"
)

// incoming is a file that the peer offers, or sends. It implements OfferedFile.
type incoming struct {
	filing    *filing
	name      string
	size      int64
	arrivals  chan arrival    // the newest channel that was not taken yet
	undecided context.Context // ends once the user wants it or not
	decide    func()          // ends it
	watched   chan struct{}   // closed when the goroutine of watch has ended

	// Owned by the goroutine of watch, and then by that of Accept.
	machine *files.Receiver
	channel *data.Channel // nil: there is none

	// Guarded by filing.mu.
	claimed  bool          // Accept or Decline was called
	declined bool          // Decline was
	unseen   bool          // the event waits
	waits    bool          // it is neither running nor over
	newest   *data.Channel // to be closed when another one comes
}

// arrival is a channel that begins with the offer.
type arrival struct {
	channel *data.Channel
	offer   []byte
}

func (in *incoming) Name() string { return in.name }
func (in *incoming) Size() int64  { return in.size }

// String is for logs.
func (in *incoming) String() string { return fmt.Sprintf("%s (%d bytes)", in.name, in.size) }

// greet takes a channel for a file that the peer has opened.
func (f *filing) greet(c *data.Channel) {
	ctx, cancel := context.WithTimeout(f.ctx, patienceForOffer)
	defer cancel()
	if offer, err := c.Receive(ctx); err == nil && f.ctx.Err() == nil {
		answer, taken := f.offered(arrival{c, offer})
		if taken {
			return
		}
		give(f.ctx, c, answer)
	}
	_ = c.Close() // it may be over
}

// offered takes a channel, or returns the answer that is all there is to say.
func (f *filing) offered(a arrival) (answer []byte, taken bool) {
	offer, err := files.ParseOffer(a.offer)
	if err != nil {
		return files.Cancel(files.Broken), false
	}
	f.mu.Lock()
	in, fresh, old := f.incoming[offer.ID], false, (*data.Channel)(nil)
	if in == nil {
		if in, answer = f.admit(offer, a); in == nil {
			f.mu.Unlock()
			return answer, false
		}
		fresh = true
	}
	old, in.newest = in.newest, a.channel
	select {
	case <-in.arrivals: // its channel is old
	default:
	}
	in.arrivals <- a
	f.mu.Unlock()
	if fresh {
		f.peer.room.background(in.watch)
		f.peer.room.events.addTaken(FileOffered{Peer: f.peer, File: in}, in.seen)
	} else {
		_ = old.Close() // whoever reads it takes the new one then
	}
	return nil, true
}

// admit makes the incoming file of an offer, or says why there is none. The caller holds the lock.
func (f *filing) admit(offer files.Offer, a arrival) (in *incoming, answer []byte) {
	for _, ended := range f.over {
		if ended.Offer().ID == offer.ID {
			return nil, ended.Open(a.offer)
		}
	}
	most := f.peer.room.cfg.MaxFileSize
	switch {
	case most > 0 && offer.Size > most:
		return nil, files.Cancel(files.TooBig)
	case f.pending >= files.MaxPending:
		return nil, files.Cancel(files.Busy)
	}
	machine, err := files.NewReceiver(a.offer)
	if err != nil {
		return nil, files.Cancel(files.Broken)
	}
	in = &incoming{
		filing: f, name: files.CleanName(offer.Name), size: offer.Size, machine: machine,
		arrivals: make(chan arrival, 1), watched: make(chan struct{}), unseen: true, waits: true,
	}
	in.undecided, in.decide = context.WithCancel(f.ctx)
	f.incoming[offer.ID] = in
	f.pending++
	return in, nil
}

// seen notes that the application has got the event.
func (in *incoming) seen() {
	in.filing.mu.Lock()
	defer in.filing.mu.Unlock()
	in.unseen = false
	if !in.waits {
		in.filing.pending--
	}
}

// start notes that the file no longer waits for the user. The caller holds the lock.
func (in *incoming) start() {
	if in.waits && !in.unseen {
		in.filing.pending--
	}
	in.waits = false
}

// claim reports whether the caller is the first one to decide.
func (in *incoming) claim(decline bool) bool {
	in.filing.mu.Lock()
	defer in.filing.mu.Unlock()
	if in.claimed {
		return false
	}
	in.claimed, in.declined = true, decline
	return true
}

func (in *incoming) Decline() {
	if in.claim(true) {
		in.decide()
	}
}

// watch answers the sender until the user has decided, or the sender has.
func (in *incoming) watch() {
	defer close(in.watched)
	defer in.decide()
	for {
		_, _, err := in.next(in.undecided)
		if _, over := in.machine.End(); over {
			in.finish(nil)
			return
		}
		if err != nil {
			break
		}
	}
	in.filing.mu.Lock()
	declined := in.declined
	in.filing.mu.Unlock()
	switch {
	case declined:
		in.finish(in.machine.Fail(files.Declined))
	case in.filing.ctx.Err() != nil:
		in.finish(in.machine.Fail(files.Cancelled))
	}
}

// next takes a channel if there is none, otherwise a frame. It returns the chunk to write, if one came. An error is ctx's
// cause, or errStalled once the file was accepted.
func (in *incoming) next(ctx context.Context) (chunk []byte, offset int64, err error) {
	patience := files.StallTimeout
	if ctx == in.undecided {
		patience = 0
	}
	if in.channel == nil {
		var a arrival
		if a, err = patiently(ctx, in.filing, patience, in.arrival); err != nil {
			return nil, 0, err
		}
		in.channel = a.channel
		give(ctx, in.channel, in.machine.Open(a.offer))
		return nil, 0, nil
	}
	frame, err := patiently(ctx, in.filing, patience, in.channel.Receive)
	switch {
	case err == nil:
		var reply []byte
		chunk, offset, reply = in.machine.Receive(frame)
		give(ctx, in.channel, reply)
		return chunk, offset, nil
	case ctx.Err() != nil || errors.Is(err, errStalled):
		return nil, 0, err
	case errors.Is(err, ErrUnread):
		in.machine.Fail(files.Broken) // more came than may be under way
		return nil, 0, nil
	}
	in.lose()
	return nil, 0, nil
}

// arrival waits for a channel. One that is there is taken though ctx has ended: the sender waits for an answer by it.
func (in *incoming) arrival(ctx context.Context) (arrival, error) {
	select {
	case a := <-in.arrivals:
		return a, nil
	default:
	}
	select {
	case a := <-in.arrivals:
		return a, nil
	case <-ctx.Done():
		return arrival{}, context.Cause(ctx)
	}
}

func (in *incoming) lose() {
	_ = in.channel.Close() // it may be over
	in.channel = nil
	in.machine.Lose()
}

// finish ends the file with its last frame.
func (in *incoming) finish(last []byte) {
	f := in.filing
	f.mu.Lock()
	delete(f.incoming, in.machine.Offer().ID)
	if f.over = append(f.over, in.machine); len(f.over) > files.MaxOver {
		f.over = f.over[1:]
	}
	in.start()
	var untaken *data.Channel
	select {
	case a := <-in.arrivals:
		untaken = a.channel
	default:
	}
	f.mu.Unlock()
	give(f.ctx, in.channel, last)
	for _, c := range []*data.Channel{in.channel, untaken} {
		if c != nil {
			_ = c.Close() // it may be over
		}
	}
}

func (in *incoming) Accept(ctx context.Context, w io.WriterAt, o *FileOptions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !in.claim(false) {
		return fmt.Errorf("noom: file %q was accepted or declined before: %w", in.name, ErrClosed)
	}
	f := in.filing
	ctx, cancel := f.until(ctx)
	defer cancel()
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-in.watched: // it is over
	case <-ctx.Done():
	}
	in.decide()
	<-in.watched
	if f.ctx.Err() != nil {
		return ErrClosed
	}
	if end, over := in.machine.End(); over {
		return fileError(end, nil)
	}
	f.mu.Lock()
	in.start()
	f.mu.Unlock()
	return in.receive(ctx, w, newProgress(o, in.size))
}

// receive takes all of the file.
func (in *incoming) receive(ctx context.Context, w io.WriterAt, progress progressReport) error {
	var cause error
	give(ctx, in.channel, in.machine.Accept())
	for !in.machine.Complete() {
		chunk, offset, err := in.next(ctx)
		var last []byte
		switch {
		case err != nil && ctx.Err() != nil:
			in.finish(in.machine.Fail(files.Cancelled))
			return context.Cause(ctx)
		case err != nil:
			last = in.machine.Fail(files.Stalled)
		case chunk != nil:
			if _, cause = w.WriteAt(chunk, offset); cause != nil {
				last = in.machine.Fail(files.Failed)
				break
			}
			give(ctx, in.channel, in.machine.Written())
			progress.show(in.machine.Progress(), false)
		}
		if end, over := in.machine.End(); over {
			in.finish(last)
			return fileError(end, cause)
		}
	}
	in.finish(in.machine.Finish())
	progress.show(in.size, true)
	return nil
}
