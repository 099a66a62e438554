package noom

import (
	"context"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
	"noom/signal"
)

// This file is the part of a room that publishes to everyone: a sender is told
// to each link, which does the rest in sections.go.

// newSender binds t for everyone.
func (r *room) newSender(t webrtc.TrackLocal, o PublishOptions) (*fanout.Sender, error) {
	name := signal.CleanName(o.Name)
	if err := signal.CheckName(name); err != nil {
		return nil, fmt.Errorf("noom: publish: %w", err)
	}
	var s *fanout.Sender
	var err error
	each := func(f func(*link)) {
		r.mail.Post(func() {
			for _, links := range []map[string]*link{r.links, r.asleep} {
				for _, l := range links {
					f(l)
				}
			}
		})
	}
	s, err = fanout.NewSender(t, fanout.Options{Name: name, Muted: o.Muted}, fanout.Hooks{
		OnChange: func() { each((*link).retable) },
		OnEnd:    r.sourceEnded,
		OnClose: func() {
			r.mail.Post(func() {
				r.mu.Lock()
				r.senders = slices.DeleteFunc(slices.Clone(r.senders), func(o *fanout.Sender) bool { return o == s })
				r.mu.Unlock()
			})
			each(func(l *link) { l.unpublish(s) })
		},
	})
	return s, err
}

func (r *room) sourceEnded(s *fanout.Sender, err error) {
	r.events.add(SourceEnded{Sender: s, Err: err})
}

func (r *room) Publish(ctx context.Context, t webrtc.TrackLocal, o *PublishOptions) (Sender, error) {
	if o == nil {
		o = &PublishOptions{}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !r.may(RightPublish) {
		return nil, fmt.Errorf("noom: publish: %w", ErrForbidden)
	}
	s, err := r.newSender(t, *o)
	if err != nil {
		return nil, err
	}
	posted := r.mail.Post(func() {
		r.mu.Lock()
		r.senders = append(slices.Clip(r.senders), s)
		r.mu.Unlock()
		for _, links := range []map[string]*link{r.links, r.asleep} {
			for _, l := range links {
				l.publish(s)
			}
		}
	})
	if !posted {
		_ = s.Close()
		return nil, ErrClosed
	}
	return s, nil
}

func (r *room) Senders() []Sender {
	r.mu.Lock()
	defer r.mu.Unlock()
	senders := make([]Sender, len(r.senders))
	for i, s := range r.senders {
		senders[i] = s
	}
	return senders
}
