package noom

import (
	"context"
	"errors"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/data"
	"noom/internal/fault"
)

// Channel is a data channel of the application's own (webrtc-pc section 6), alongside the stream of [Peer.Send]. It
// belongs to one connection: an ICE restart leaves it alone, and a rebuild of the connection ends it with
// [ErrChannelLost] and loses what is in flight. What must not be lost should go through Peer.Send.
//
// The application pulls messages, so none is lost before it calls Receive. At most 1 MiB and 1024 messages wait for
// Receive; a channel that is left unread beyond that is closed, with [ErrUnread] at this end.
type Channel interface {
	// Label returns the label given to OpenChannel, at either end.
	Label() string
	// Send sends one message, up to 61440 bytes. It blocks while more than 1 MiB waits to be sent, until ctx ends.
	Send(ctx context.Context, data []byte) error
	// Receive returns the next message, and waits until there is one. After the last message it returns io.EOF if
	// either end closed the channel, otherwise [ErrChannelLost] or [ErrUnread].
	Receive(ctx context.Context) ([]byte, error)
	// Close closes the channel for both ends without waiting: what was sent before still arrives, as long as the
	// connection lives. If something was sent, the peer learns of the end a second after this end opened the channel
	// at the earliest, because browsers may throw away what came just before. It may be called more than once.
	Close() error
}

// ChannelOptions says how a channel delivers messages; nil: all of them, in order.
type ChannelOptions struct {
	// Unordered allows a message to overtake another.
	Unordered bool
	// MaxRetransmits, if not nil, is the number of retransmissions after which a message is given up.
	MaxRetransmits *uint16
	// MaxLifetime, if not zero, is the time after which a message is given up: whole milliseconds, up to 65 s. It
	// excludes MaxRetransmits.
	MaxLifetime time.Duration
}

// Errors of channels.
var (
	// ErrChannelLost: the connection to which the channel belonged is over. Open another channel.
	ErrChannelLost = fault.ChannelLost
	// ErrUnread: the channel was closed, because too much waited for [Channel.Receive].
	ErrUnread = fault.Unread
)

func (o *ChannelOptions) init() (*webrtc.DataChannelInit, error) {
	if o == nil {
		return nil, nil
	}
	ordered := !o.Unordered
	init := &webrtc.DataChannelInit{Ordered: &ordered, MaxRetransmits: o.MaxRetransmits}
	if o.MaxLifetime != 0 {
		ms := o.MaxLifetime.Milliseconds()
		if ms < 1 || ms > 65535 || o.MaxRetransmits != nil {
			return nil, errors.New("noom: open channel: MaxLifetime must be 1 ms to 65 s, and not together with MaxRetransmits")
		}
		life := uint16(ms)
		init.MaxPacketLifeTime = &life
	}
	return init, nil
}

var _ Channel = (*data.Channel)(nil)
