package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"noom"
	"noom/media/voice"
)

// agent talks in one room at a time.
type agent struct {
	pause      time.Duration
	out        io.Writer
	model      func() Realtime // for each member
	recognizer Recognizer
}

// conversation is an agent in a room.
type conversation struct {
	*agent
	speaker *voice.Speaker

	mu      sync.Mutex
	models  map[noom.Peer]*mind
	stop    func() // ends the answer that is being given; nil: none is
	serial  int    // of the latest answer
	printed sync.Mutex
}

// mind is the model of one member.
type mind struct {
	model Realtime
	busy  chan struct{} // holds a token while one of its methods is called
}

// use calls f with the model, when nobody else does.
func (m *mind) use(f func(Realtime) error) error {
	m.busy <- struct{}{}
	defer func() { <-m.busy }()
	return f(m.model)
}

// talk listens and answers until ctx ends.
func (a *agent) talk(ctx context.Context, room noom.Room) error {
	ears, err := voice.Listen(ctx, room, &voice.ListenOptions{Rate: rate, EndAfter: a.pause})
	if err != nil {
		return err
	}
	defer func() { _ = ears.Close() }()
	speaker, err := voice.NewSpeaker(ctx, room, &voice.SpeakerOptions{Rate: rate})
	if err != nil {
		return err
	}
	defer func() { _ = speaker.Close() }()
	c := &conversation{agent: a, speaker: speaker, models: make(map[noom.Peer]*mind)}
	var turns sync.WaitGroup
	defer turns.Wait()
	for turn := range ears.Turns(ctx) {
		c.hush() // whoever speaks is listened to
		turns.Go(func() {
			if err := c.take(ctx, turn); err != nil && ctx.Err() == nil {
				c.say("%s: %v", turn.Peer.Name(), err)
			}
		})
	}
	return nil
}

// take hears a turn to its end and answers it.
func (c *conversation) take(ctx context.Context, turn *voice.Turn) error {
	m := c.mindOf(turn.Peer)
	var said []int16
	for pcm := range turn.PCM(ctx) {
		if err := m.use(func(r Realtime) error { return r.Hear(pcm) }); err != nil {
			return err
		}
		said = append(said, pcm...)
	}
	if _, why := turn.Ended(); why != voice.EndSilence && why != voice.EndMuted {
		return nil // it has gone, or we have
	}
	answering, serial := c.begin(ctx)
	defer c.done(serial)
	var answer io.Reader
	err := m.use(func(r Realtime) (err error) {
		answer, err = r.Answer(answering)
		return err
	})
	if err != nil || answer == nil {
		return err
	}
	before := c.speaker.Played().Heard
	err = c.speaker.Say(answering, answer)
	heard := c.heard(ctx, before, err)
	_ = m.use(func(r Realtime) error {
		r.Heard(heard)
		return nil
	})
	text, failed := c.recognizer.Recognize(ctx, said)
	if failed != nil {
		return failed
	}
	c.say("%s: %s", turn.Peer.Name(), text)
	c.say("of the answer %.2f s were heard%s", heard.Seconds(), map[bool]string{true: ", before somebody spoke"}[err != nil])
	if err != nil && answering.Err() == nil && !errors.Is(err, voice.ErrFlushed) {
		return err
	}
	return nil
}

// heard returns how much was heard of what was said since before. The end of an answer that was not interrupted is on
// its way for a moment.
func (c *conversation) heard(ctx context.Context, before time.Duration, interrupted error) time.Duration {
	p := c.speaker.Played()
	for interrupted == nil && p.Heard < p.Sent && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
		p = c.speaker.Played()
	}
	return p.Heard - before
}

// begin begins an answer in place of the one that is being given.
func (c *conversation) begin(ctx context.Context) (answering context.Context, serial int) {
	c.hush()
	c.mu.Lock()
	defer c.mu.Unlock()
	answering, c.stop = context.WithCancel(ctx)
	c.serial++
	return answering, c.serial
}

// done ends an answer.
func (c *conversation) done(serial int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serial == serial && c.stop != nil {
		c.stop()
		c.stop = nil
	}
}

// hush ends what is being said, at once.
func (c *conversation) hush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
		c.stop = nil
		c.speaker.Flush()
	}
}

// mindOf returns the model of a member.
func (c *conversation) mindOf(p noom.Peer) *mind {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other := range c.models {
		if other.State() == noom.PeerClosed { // it has gone for good
			delete(c.models, other)
		}
	}
	m := c.models[p]
	if m == nil {
		m = &mind{c.model(), make(chan struct{}, 1)}
		c.models[p] = m
	}
	return m
}

func (c *conversation) say(format string, args ...any) {
	c.printed.Lock()
	defer c.printed.Unlock()
	_, _ = fmt.Fprintf(c.out, format+"\n", args...)
}
