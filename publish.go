package noom

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
	"noom/internal/mailbox"
	"noom/signal"
)

// publications are what a room publishes to everyone. Each link gets each sender, and does the rest.
type publications struct {
	mail  *mailbox.Mailbox // the room's
	each  func(func(*peer))
	share func()                      // called when there is something else to share
	ended func(*fanout.Sender, error) // called when the source of one has ended by itself
	log   *slog.Logger

	codecs []webrtc.RTPCodecParameters // of Config

	mu   sync.Mutex
	list []*fanout.Sender // in order; replaced, never changed in place; written by the room's loop
}

// senders returns those that are not closed. Called from anywhere.
func (p *publications) senders() []*fanout.Sender {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list
}

// sends returns the MIME types of what is published, as a join says them.
func (p *publications) sends() (list []string) {
	for _, s := range p.senders() {
		if len(list) == signal.MaxSends {
			break
		}
		list = append(list, s.Codec().MimeType)
	}
	return list
}

func (p *publications) set(list []*fanout.Sender) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = list
}

// bind binds t for everyone.
func (p *publications) bind(t webrtc.TrackLocal, o *PublishOptions) (*fanout.Sender, error) {
	var s *fanout.Sender
	s, err := newSender(t, o, p.codecs, fanout.Hooks{
		OnChange: func() {
			p.mail.Post(func() { p.each(func(l *peer) { l.link.Retable() }) })
			p.share()
		},
		OnEnd: p.ended,
		OnClose: func() {
			p.mail.Post(func() {
				p.set(slices.DeleteFunc(slices.Clone(p.list), func(o *fanout.Sender) bool { return o == s }))
				p.each(func(l *peer) { l.link.Unpublish(s) })
				p.share()
			})
		},
	})
	return s, err
}

// add sends s to everyone from now on; false if the room is over.
func (p *publications) add(s *fanout.Sender) bool {
	return p.mail.Post(func() {
		p.set(append(slices.Clip(p.list), s))
		p.each(func(l *peer) { l.link.Publish(s) })
		p.share()
	})
}

// allow begins or ends sending to everyone, because the hub now allows it or no longer does. The room's loop calls it.
func (p *publications) allow(now bool) {
	p.each(func(l *peer) {
		for _, s := range p.list {
			if now {
				l.link.Publish(s)
			} else {
				l.link.Unpublish(s)
			}
		}
	})
	p.share()
	if !now && len(p.list) > 0 {
		p.log.Warn("the hub does not let this member publish; its tracks are not sent", "tracks", len(p.list))
	}
}

func (r *room) Publish(ctx context.Context, t webrtc.TrackLocal, o *PublishOptions) (Sender, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !r.May(RightPublish) {
		return nil, fmt.Errorf("noom: publish: %w", ErrForbidden)
	}
	s, err := r.published.bind(t, o)
	if err != nil {
		return nil, err
	}
	if !r.published.add(s) {
		_ = s.Close()
		return nil, ErrClosed
	}
	return s, nil
}

func (r *room) Senders() []Sender {
	list := r.published.senders()
	senders := make([]Sender, len(list))
	for i, s := range list {
		senders[i] = s
	}
	return senders
}

// newSender binds t, which may have one of codecs; o may be nil.
func newSender(
	t webrtc.TrackLocal, o *PublishOptions, codecs []webrtc.RTPCodecParameters, hooks fanout.Hooks,
) (*fanout.Sender, error) {
	if o == nil {
		o = &PublishOptions{}
	}
	name := signal.CleanName(o.Name)
	if f, ok := t.(*forward); ok && name == "" {
		name = f.from.Name()
	}
	if err := signal.CheckName(name); err != nil {
		return nil, fmt.Errorf("noom: publish: %w", err)
	}
	hooks.Layers = func(t webrtc.TrackLocal) []fanout.Encoding {
		if l, ok := t.(Layered); ok {
			return encodingsOf(l.Encodings())
		}
		return nil
	}
	return fanout.NewSender(t, fanout.Options{
		Name: name, Muted: o.Muted, Priority: int(o.Priority), Encodings: encodingsOf(o.Encodings), Codecs: codecs,
	}, hooks)
}

func encodingsOf(list []Encoding) []fanout.Encoding {
	encodings := make([]fanout.Encoding, len(list))
	for i, e := range list {
		encodings[i] = fanout.Encoding(e)
	}
	return encodings
}

func closeSenders(senders []*fanout.Sender) {
	for _, s := range senders {
		_ = s.Close()
	}
}
