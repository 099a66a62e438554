package data

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/signal"
)

const (
	maxUnreadBytes = 1 << 20              // in a channel
	maxUnread      = 1024                 // messages in a channel
	highWater      = 1 << 20              // Send waits while more bytes than this are buffered
	lowWater       = 1 << 18              // it goes on once fewer are
	closingMoment  = 5 * time.Millisecond // from the end of a channel to that of its connection; see Emptied
	youth          = time.Second          // of a channel; see Close
)

// Channel is a data channel that an application opened; noom.Channel explains its methods.
type Channel struct {
	dc      *webrtc.DataChannel
	control *webrtc.DataChannel // of the same connection
	theirs  bool                // opened by the peer
	opened  chan struct{}       // closed when the channel can be used
	ended   chan struct{}       // closed when the channel is over
	shut    chan struct{}       // closed when neither end can receive anything from it any longer
	ready   chan struct{}       // holds a token while there may be something to receive
	drain   chan struct{}       // holds a token once few bytes are buffered

	mu     sync.Mutex
	unread [][]byte
	bytes  int
	err    error       // why it is over
	lost   bool        // its connection ended before the channel was shut
	grown  time.Time   // when it is no longer young; zero: it never is
	sent   bool        // something was
	linger *time.Timer // sends its end then; nil: Close has not come, or not early
}

// newChannel wraps dc before its first message can come.
func newChannel(dc, control *webrtc.DataChannel, theirs bool) *Channel {
	c := &Channel{
		dc: dc, control: control, theirs: theirs, opened: make(chan struct{}), ended: make(chan struct{}), shut: make(chan struct{}),
		ready: make(chan struct{}, 1), drain: make(chan struct{}, 1),
	}
	dc.SetBufferedAmountLowThreshold(lowWater)
	dc.OnBufferedAmountLow(func() { putToken(c.drain) })
	dc.OnOpen(sync.OnceFunc(c.open))
	dc.OnClose(func() { c.end(io.EOF); c.close(false) })
	dc.OnMessage(func(m webrtc.DataChannelMessage) {
		if !c.push(m.Data) {
			c.end(fault.Unread)
			go func() { _ = dc.Close() }() // not from its own callback, where it would wait for itself
		}
	})
	return c
}

func (c *Channel) open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.theirs {
		c.grown = time.Now().Add(youth)
	}
	close(c.opened)
}

func putToken(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (c *Channel) push(data []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return true
	}
	if len(c.unread) >= maxUnread || c.bytes+len(data) > maxUnreadBytes {
		return false
	}
	c.unread = append(c.unread, data)
	c.bytes += len(data)
	putToken(c.ready)
	return true
}

// end ends c because of err, if it has not ended yet.
func (c *Channel) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.ended)
	}
}

// lose ends c with its connection.
func (c *Channel) lose() {
	c.end(fault.ChannelLost)
	c.close(true)
}

func (c *Channel) close(lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isShut() {
		c.lost = lost
		close(c.shut)
	}
	if c.linger != nil {
		c.linger.Stop()
	}
}

func (c *Channel) isShut() bool {
	select {
	case <-c.shut:
		return true
	default:
		return false
	}
}

// Emptied reports whether everything sent before Close has reached the other end. If
// bytes are still buffered, either the end of the channel has overtaken the
// acknowledgements, or the whole connection has ended. Which of the two it was, control
// shows closingMoment after shut.
func (c *Channel) Emptied() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isShut() && !c.lost && (c.dc.BufferedAmount() == 0 || c.control.ReadyState() == webrtc.DataChannelStateOpen)
}

// WaitOpen waits until the channel can be used, or returns why it is over.
func (c *Channel) WaitOpen(ctx context.Context) error {
	select {
	case <-c.opened:
		return nil
	case <-c.ended:
		return c.cause()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Waiting returns how many bytes wait to be sent or acknowledged.
func (c *Channel) Waiting() uint64 { return c.dc.BufferedAmount() }

// WaitShut waits until neither end can receive anything more from channels that were
// closed, or until ctx ends. Only then is what Emptied reports final.
func WaitShut(ctx context.Context, channels []*Channel) {
	if len(channels) == 0 {
		return
	}
	for _, c := range channels {
		select {
		case <-c.shut:
		case <-ctx.Done():
			return
		}
	}
	moment, cancel := context.WithTimeout(ctx, closingMoment)
	defer cancel()
	<-moment.Done()
}

// String is for logs; the peer has chosen the label.
func (c *Channel) String() string { return signal.Printable(c.dc.Label()) }

// Label returns the name that the opener gave the channel.
func (c *Channel) Label() string { return c.dc.Label() }

// Send sends one message. It waits while too much waits to be sent, until ctx ends.
func (c *Channel) Send(ctx context.Context, data []byte) error {
	if err := CheckSize(data); err != nil {
		return err
	}
	select { // pion announces the peer's channels a moment before they can be used
	case <-c.opened:
	case <-c.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	for c.dc.BufferedAmount() > highWater {
		select {
		case <-c.drain:
			defer putToken(c.drain) // for the next goroutine that waits, because pion reports it once
		case <-c.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c.over() {
			break
		}
	}
	if c.over() {
		return c.cause()
	}
	c.mu.Lock()
	c.sent = true
	c.mu.Unlock()
	if err := c.dc.Send(data); err != nil {
		return fault.ChannelLost
	}
	return nil
}

func (c *Channel) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// cause returns why c is over, as Send reports it.
func (c *Channel) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.err, io.EOF) {
		return fault.Closed
	}
	return c.err
}

// Receive waits for the next message and returns it.
func (c *Channel) Receive(ctx context.Context) ([]byte, error) {
	for {
		c.mu.Lock()
		if len(c.unread) > 0 {
			data := c.unread[0]
			c.unread[0] = nil
			c.unread = c.unread[1:]
			c.bytes -= len(data)
			if len(c.unread) > 0 {
				putToken(c.ready)
			}
			c.mu.Unlock()
			return data, nil
		}
		err := c.err
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-c.ready:
		case <-c.ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close closes the channel at both ends. It waits for nothing. But the peer learns of the end of a channel that we opened,
// and in which something was sent, only when it is no longer young: Chromium throws away what was sent if the end comes
// before its page has learned of the channel.
func (c *Channel) Close() error {
	c.end(io.EOF)
	if c.endLater() {
		return nil
	}
	return c.dc.Close()
}

// endLater sees to it that the peer learns of the end later. It reports false if that has to be now.
func (c *Channel) endLater() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := time.Until(c.grown)
	if c.isShut() || !c.sent || rest <= 0 {
		return false
	}
	if c.linger == nil {
		c.linger = time.AfterFunc(rest, func() { _ = c.dc.Close() }) // or its connection has
	}
	return true
}
