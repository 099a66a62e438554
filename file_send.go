package noom

import (
	"context"
	"crypto/rand"
	"errors"
	"io"

	"noom/internal/data"
	"noom/internal/files"
)

// sending is a file on its way to a peer. The goroutine of SendFile owns it.
type sending struct {
	filing   *filing
	machine  *files.Sender
	from     io.ReadSeeker
	size     int64
	buffer   []byte
	progress progressReport
	cause    error // of a failure of ours
}

// progressReport calls what an application wants to be called, once for each number of bytes.
type progressReport struct {
	call  func(done, total int64)
	last  int64 // -1: there was no call
	total int64
}

func newProgress(o *FileOptions, total int64) progressReport {
	p := progressReport{last: -1, total: total}
	if o != nil {
		p.call = o.Progress
	}
	return p
}

// show reports more bytes. All of them are reported once the file is whole.
func (p *progressReport) show(done int64, whole bool) {
	if p.call == nil || done == p.last || done <= 0 && !whole || done == p.total && !whole {
		return
	}
	p.last = done
	p.call(done, p.total)
}

func (p *peer) SendFile(ctx context.Context, name string, r io.ReadSeeker, o *FileOptions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return &FileError{Code: FileFailed, Err: err}
	}
	if size > files.MaxSize {
		return &FileError{Code: FileTooBig}
	}
	f := p.files.Load()
	ctx, cancel := f.until(ctx)
	defer cancel()
	select {
	case f.places <- struct{}{}:
		defer func() { <-f.places }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var id files.ID
	_, _ = rand.Read(id[:]) // it never fails
	s := &sending{
		filing: f, machine: files.NewSender(id, files.CleanName(name), size), from: r, size: size,
		buffer: make([]byte, min(size, files.ChunkSize)), progress: newProgress(o, size),
	}
	return s.run(ctx)
}

// run offers the file, over as many connections as it takes.
func (s *sending) run(ctx context.Context) error {
	for {
		c, err := s.open(ctx)
		if err != nil {
			return err
		}
		give(ctx, c, s.machine.Open())
		err = s.use(ctx, c)
		_ = c.Close() // it may be over
		if end, over := s.machine.End(); over {
			s.progress.show(s.machine.Progress(), end.Code == files.None)
			if ctx.Err() != nil && !end.Remote {
				return context.Cause(ctx)
			}
			return fileError(end, s.cause)
		}
		s.machine.Lose()
		if end, over := s.machine.End(); over {
			return fileError(end, nil)
		}
		if !errors.Is(err, ErrChannelLost) { // the peer has closed it, or its connection
			pause(ctx, pauseToOpen)
		}
	}
}

// open opens a channel, once there is a connection.
func (s *sending) open(ctx context.Context) (*data.Channel, error) {
	for {
		if err := s.filing.waitConnected(ctx); err != nil {
			return nil, err
		}
		c, err := s.filing.peer.link.OpenChannel(ctx, files.Label, nil)
		switch {
		case err == nil:
			return c, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, ErrClosed):
			return nil, err
		}
		pause(ctx, pauseToOpen) // the connection has just ended
	}
}

// use sends over one channel, until the file or the channel is over. It returns why the channel is.
func (s *sending) use(ctx context.Context, c *data.Channel) error {
	for {
		if offset, length, ok := s.machine.Wants(); ok && ctx.Err() == nil {
			if err := c.Send(ctx, s.read(offset, length)); err != nil && ctx.Err() == nil {
				return err
			}
		} else if err := s.listen(ctx, c); err != nil {
			return err
		}
		if _, over := s.machine.End(); over {
			return nil
		}
	}
}

// listen takes the next frame of the receiver.
func (s *sending) listen(ctx context.Context, c *data.Channel) error {
	patience := files.StallTimeout
	switch {
	case s.machine.Unanswered():
		patience = files.NoteTimeout
	case !s.machine.Running():
		patience = 0 // a user decides
	}
	frame, err := patiently(ctx, s.filing, patience, c.Receive)
	switch {
	case err == nil:
		give(ctx, c, s.machine.Receive(frame))
		s.progress.show(s.machine.Progress(), false)
	case ctx.Err() != nil:
		give(ctx, c, s.machine.Fail(files.Cancelled))
	case errors.Is(err, errStalled) && s.machine.Unanswered():
		give(ctx, c, s.machine.Fail(files.Unsupported))
	case errors.Is(err, errStalled):
		give(ctx, c, s.machine.Fail(files.Stalled))
	case errors.Is(err, ErrUnread):
		s.machine.Fail(files.Broken)
	default:
		return err
	}
	return nil
}

// read returns the frame for a chunk, or the one that says why there is none.
func (s *sending) read(offset int64, length int) []byte {
	fail := func(c files.Code, err error) []byte {
		s.cause = err
		return s.machine.Fail(c)
	}
	if offset+int64(length) == s.size {
		switch now, err := s.from.Seek(0, io.SeekEnd); {
		case err != nil:
			return fail(files.Failed, err)
		case now != s.size:
			return fail(files.Changed, nil)
		}
	}
	if _, err := s.from.Seek(offset, io.SeekStart); err != nil {
		return fail(files.Failed, err)
	}
	chunk := s.buffer[:length]
	switch _, err := io.ReadFull(s.from, chunk); {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fail(files.Changed, nil)
	case err != nil:
		return fail(files.Failed, err)
	}
	return s.machine.Chunk(chunk)
}
