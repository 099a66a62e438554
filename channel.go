package noom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/internal/mailbox"
	"noom/signal"
)

// Channel is a data channel of the application's own (webrtc-pc section 6),
// beside the stream of [Peer.Send]. It belongs to one connection: an ICE restart leaves
// it alone, a rebuild of the connection ends it with [ErrChannelLost], and
// what was under way in it is lost. What must not be lost goes by Peer.Send.
//
// Messages are pulled, so none is lost before somebody listens. At most 1 MiB
// and 1024 of them wait for Receive; a channel that is left unread beyond that
// is closed, with [ErrUnread] at this end.
type Channel interface {
	// Label returns the name given to OpenChannel, by whichever end.
	Label() string
	// Send sends one message, up to 61440 bytes. It blocks while more than
	// 1 MiB waits to be sent, until ctx ends.
	Send(ctx context.Context, data []byte) error
	// Receive returns the next message and waits for one. After the last:
	// io.EOF when either end closed the channel, else ErrChannelLost or ErrUnread.
	Receive(ctx context.Context) ([]byte, error)
	// Close closes the channel for both ends, and waits for nothing: what was sent
	// before still arrives, as long as the connection lives. It may be called twice.
	Close() error
}

// ChannelOptions says how a channel delivers; nil: all, in order.
type ChannelOptions struct {
	// Unordered lets a message overtake another.
	Unordered bool
	// MaxRetransmits, if not nil, gives a message up after so many tries more.
	MaxRetransmits *uint16
	// MaxLifetime, if not zero, gives it up after so long; whole milliseconds,
	// up to 65 s. Not together with MaxRetransmits.
	MaxLifetime time.Duration
}

// Errors of channels.
var (
	ErrChannelLost = fault.ChannelLost
	ErrUnread      = fault.Unread
)

const (
	maxChannels    = 64      // that a peer may have opened at a time
	maxUnreadBytes = 1 << 20 // in a channel
	maxUnread      = 1024    // messages in a channel
	channelHigh    = 1 << 20 // bytes waiting to be sent, above which Send waits
	channelLow     = 1 << 18 // below which it goes on
	closingMoment  = 5 * time.Millisecond
)

type channel struct {
	dc      *webrtc.DataChannel
	control *webrtc.DataChannel // of the same connection
	theirs  bool                // opened by the peer
	opened  chan struct{}       // closed when it can be used
	ended   chan struct{}       // closed when it is over
	shut    chan struct{}       // closed when neither end can get anything out of it any more
	ready   chan struct{}       // holds a token while there may be something to receive
	drain   chan struct{}       // holds a token when less waits to be sent

	mu     sync.Mutex
	unread [][]byte
	bytes  int
	err    error // why it is over
	lost   bool  // its connection ended before it was shut
}

// newChannel wraps dc before its first message can come.
func newChannel(dc, control *webrtc.DataChannel) *channel {
	c := &channel{
		dc: dc, control: control, opened: make(chan struct{}), ended: make(chan struct{}), shut: make(chan struct{}),
		ready: make(chan struct{}, 1), drain: make(chan struct{}, 1),
	}
	dc.SetBufferedAmountLowThreshold(channelLow)
	dc.OnBufferedAmountLow(func() { token(c.drain) })
	dc.OnOpen(sync.OnceFunc(func() { close(c.opened) }))
	dc.OnClose(func() { c.end(io.EOF); c.close(false) })
	dc.OnMessage(func(m webrtc.DataChannelMessage) {
		if !c.push(m.Data) {
			c.end(ErrUnread)
			go func() { _ = dc.Close() }() // from a callback of its own it would wait for itself
		}
	})
	return c
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (c *channel) push(data []byte) bool {
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
	token(c.ready)
	return true
}

// end ends c once, for the reason err.
func (c *channel) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.ended)
	}
}

// lose ends c with its connection.
func (c *channel) lose() {
	c.end(ErrChannelLost)
	c.close(true)
}

func (c *channel) close(lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isShut() {
		c.lost = lost
		close(c.shut)
	}
}

func (c *channel) isShut() bool {
	select {
	case <-c.shut:
		return true
	default:
		return false
	}
}

// emptied reports whether the other end has got all that was sent before Close.
// Its confirmation may overtake its acknowledgements; or it is the whole
// connection that has ended, which control shows closingMoment after shut.
func (c *channel) emptied() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isShut() && !c.lost && (c.dc.BufferedAmount() == 0 || c.control.ReadyState() == webrtc.DataChannelStateOpen)
}

// String is for logs; the peer has chosen the label.
func (c *channel) String() string { return signal.Printable(c.dc.Label()) }

func (c *channel) Label() string { return c.dc.Label() }

func (c *channel) Send(ctx context.Context, data []byte) error {
	if len(data) > signal.MaxData {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooBig, len(data), signal.MaxData)
	}
	select { // the peer's are told of a moment before they can be used
	case <-c.opened:
	case <-c.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	for c.dc.BufferedAmount() > channelHigh {
		select {
		case <-c.drain:
			defer token(c.drain) // for whoever else waits: pion says it once
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
	if err := c.dc.Send(data); err != nil {
		return ErrChannelLost
	}
	return nil
}

func (c *channel) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// cause is why c is over, for a sender.
func (c *channel) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.err, io.EOF) {
		return ErrClosed
	}
	return c.err
}

func (c *channel) Receive(ctx context.Context) ([]byte, error) {
	for {
		c.mu.Lock()
		if len(c.unread) > 0 {
			data := c.unread[0]
			c.unread[0] = nil
			c.unread = c.unread[1:]
			c.bytes -= len(data)
			if len(c.unread) > 0 {
				token(c.ready)
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

func (c *channel) Close() error {
	c.end(io.EOF)
	return c.dc.Close()
}

func (o *ChannelOptions) init() (*webrtc.DataChannelInit, error) {
	if o == nil {
		return nil, nil
	}
	ordered := !o.Unordered
	init := &webrtc.DataChannelInit{Ordered: &ordered, MaxRetransmits: o.MaxRetransmits}
	if o.MaxLifetime != 0 {
		ms := o.MaxLifetime.Milliseconds()
		if ms < 1 || ms > 65535 || o.MaxRetransmits != nil {
			return nil, errors.New("noom: open channel: MaxLifetime is 1 ms to 65 s, and not together with MaxRetransmits")
		}
		life := uint16(ms)
		init.MaxPacketLifeTime = &life
	}
	return init, nil
}

// OpenChannel is Peer.OpenChannel.
func (l *link) OpenChannel(ctx context.Context, label string, o *ChannelOptions) (Channel, error) {
	label = signal.CleanName(label)
	if err := signal.CheckName(label); err != nil {
		return nil, fmt.Errorf("noom: open channel: label: %w", err)
	}
	init, err := o.init()
	if err != nil {
		return nil, err
	}
	var c *channel // the loop's, until Ask has returned
	made, err := mailbox.Ask(ctx, l.mail, func() (err error) {
		c, err = l.makeChannel(label, init)
		return err
	})
	switch {
	case err != nil: // the loop may make it later, for nobody
		l.mail.Post(func() {
			if c != nil {
				l.room.background(func() { _ = c.Close() })
			}
		})
		return nil, err
	case made != nil:
		return nil, made
	}
	select {
	case <-c.opened:
		return c, nil
	case <-c.ended:
		return nil, c.cause()
	case <-ctx.Done():
		_ = c.Close()
		return nil, ctx.Err()
	}
}

// makeChannel makes a channel of the application's own.
func (l *link) makeChannel(label string, init *webrtc.DataChannelInit) (*channel, error) {
	if l.recovery.Asleep() {
		return nil, ErrClosed
	}
	conn := l.live()
	if conn == nil || conn == l.conn && l.recovery.Broken() || !conn.dataOpen {
		return nil, ErrNotConnected
	}
	dc, err := conn.pc.CreateDataChannel(label, init)
	if err != nil {
		return nil, err
	}
	c := newChannel(dc, conn.control)
	conn.dropEnded()
	conn.channels = append(conn.channels, c)
	return c, nil
}

// channelOpened takes a channel that the peer has opened over conn.
func (l *link) channelOpened(conn *conn, c *channel) {
	conn.dropEnded()
	c.theirs = true
	// Those that came and went unseen still hold what was sent in them.
	if max(conn.opened(), l.unseen) >= maxChannels || len(c.Label()) > signal.MaxName {
		l.refuseChannel(conn, c)
		return
	}
	conn.channels = append(conn.channels, c)
	l.unseen++
	l.tellTaken(ChannelOpened{Peer: l, Channel: c}, func() {
		l.mail.Post(func() { l.unseen = max(l.unseen-1, 0) }) // it may have been asleep meanwhile
	})
}

// refuseChannel closes a channel of the peer's. It is for the peer to answer that: until
// it does, pion keeps the channel.
func (l *link) refuseChannel(conn *conn, c *channel) {
	l.trace("channel refused", "label", c.Label())
	if conn.refused++; conn.refused > maxChannels {
		l.flooded(conn, errChannels)
		return
	}
	l.room.background(func() { _ = c.Close() })
}
