package noom

import (
	"context"
	"errors"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/data"
	"noom/internal/fault"
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

var _ Channel = (*data.Channel)(nil)
