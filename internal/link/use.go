package link

import (
	"context"
	"slices"

	"github.com/pion/webrtc/v4"

	"noom/internal/data"
	"noom/internal/fanout"
	"noom/internal/fault"
	"noom/internal/mailbox"
	"noom/internal/recovery"
	"noom/signal"
)

// This file has what an application does with a peer, and what the hub lets the peer do.

// Kick makes the loop check whether there is something to send.
func (l *Link) Kick() {
	if l.kicked.CompareAndSwap(false, true) {
		l.mail.Post(l.unkick)
	}
}

// Publish sends s to the peer, now or once there is a connection.
func (l *Link) Publish(s *fanout.Sender) {
	l.mail.Post(func() {
		l.senders = append(l.senders, s)
		if c := l.conns.current; c != nil {
			c.Publish(s)
		}
	})
}

// PublishAlone is like Publish, for a sender that ends with the peer. It reports false if the peer is gone; then the
// caller closes the sender.
func (l *Link) PublishAlone(s *fanout.Sender) bool {
	if !l.mail.Post(func() { l.own = append(l.own, s) }) {
		return false
	}
	l.Publish(s)
	return l.State() != recovery.Closed // a link that sleeps takes everything
}

// Unpublish no longer sends s to the peer.
func (l *Link) Unpublish(s *fanout.Sender) {
	l.mail.Post(func() {
		is := func(o *fanout.Sender) bool { return o == s }
		l.senders = slices.DeleteFunc(l.senders, is)
		l.own = slices.DeleteFunc(l.own, is)
		delete(l.shares, s)
		if c := l.conns.current; c != nil {
			c.Unpublish(s)
		}
	})
}

// Retable reports that a sender's row in our table has changed, or whether it sends stereo.
func (l *Link) Retable() {
	l.mail.Post(func() {
		if c := l.conns.current; c != nil {
			c.Retable()
		} else if l.card != nil {
			l.card.outdated = true
		}
	})
}

// SetRights sets what the peer may do, according to the hub.
func (l *Link) SetRights(rights signal.Rights) {
	if !l.setRights(rights) {
		return
	}
	l.mail.Post(func() {
		if c := l.conns.current; c != nil {
			l.reportTracks(l.Tracks.Retake(l.may(signal.RightPublish), c.Inbounds))
		}
	})
}

// OpenChannel opens a data channel, and returns when it is open. Errors:
// fault.NotConnected, fault.Closed, ctx's, pion's.
func (l *Link) OpenChannel(ctx context.Context, label string, init *webrtc.DataChannelInit) (*data.Channel, error) {
	c, closing, err := l.askChannel(ctx, label, init)
	for err == nil && closing != nil {
		data.WaitShut(ctx, []*data.Channel{closing})
		c, closing, err = l.askChannel(ctx, label, init)
	}
	if err != nil {
		return nil, err
	}
	if err := c.WaitOpen(ctx); err != nil {
		l.host.Spawn(func() { _ = c.Close() }) // it may be over already
		return nil, err
	}
	return c, nil
}

// askChannel makes a channel, or returns one that has to be shut before.
func (l *Link) askChannel(ctx context.Context, label string, init *webrtc.DataChannelInit) (made, closing *data.Channel, err error) {
	var c, waits *data.Channel // the loop's, until Ask has returned
	refused, err := mailbox.Ask(ctx, l.mail, func() (err error) {
		c, waits, err = l.makeChannel(label, init)
		return err
	})
	if err != nil { // the loop may make it later, when no call waits for it
		l.mail.Post(func() {
			if c != nil {
				l.host.Spawn(func() { _ = c.Close() })
			}
		})
		return nil, nil, err
	}
	return c, waits, refused
}

func (l *Link) makeChannel(label string, init *webrtc.DataChannelInit) (made, closing *data.Channel, err error) {
	if l.recovery.Asleep() {
		return nil, nil, fault.Closed
	}
	c := l.live()
	if c == nil || c == l.conns.current && l.recovery.Broken() || !c.Lane.IsOpen() {
		return nil, nil, fault.NotConnected
	}
	if closing = c.Lane.Closing(); closing != nil {
		return nil, closing, nil
	}
	dc, err := c.PC.CreateDataChannel(label, init)
	if err != nil {
		return nil, nil, err
	}
	return c.Lane.Add(dc), nil, nil
}

// RestartICE looks for a new path. It returns once that is under way. Errors:
// fault.NotConnected, fault.NoHub, fault.Closed, ctx's.
func (l *Link) RestartICE(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	begun, err := mailbox.Ask(ctx, l.mail, func() error {
		var refused recovery.Refusal
		err := l.step(func(m *recovery.Machine) (actions []recovery.Action) {
			actions, refused = m.Restart()
			return actions
		})
		switch refused {
		case recovery.IsClosed:
			return fault.Closed
		case recovery.NotConnected:
			return fault.NotConnected
		case recovery.NoHub:
			return fault.NoHub
		case recovery.NotRefused:
		}
		return err
	})
	if err != nil {
		return err
	}
	return begun
}
