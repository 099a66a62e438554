package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"noom"
	"noom/media/voice"
)

const (
	mostSpeakers = 100 // that get files, so that nobody can fill the folder with names
	mostTexts    = 16  // that are being made
	longestText  = 2000
)

// caption is what everybody in the room gets, as JSON: the page of examples/browser-server shows it. Topic is always
// "caption".
type caption struct {
	Topic string  `json:"topic"`
	ID    string  `json:"id"` // of the member
	Name  string  `json:"name"`
	From  float64 `json:"from"` // seconds since the transcriber came
	To    float64 `json:"to"`
	Text  string  `json:"text"`
}

// transcript is that of one stay in a room.
type transcript struct {
	room       noom.Room
	folder     string
	recognizer Recognizer
	out        io.Writer
	began      time.Time
	texts      chan struct{} // holds a token for each text that is being made

	mu       sync.Mutex // also over what is printed
	speakers map[string]*pages
	full     bool
}

// transcribe writes until ctx ends, and completes the files.
func transcribe(ctx context.Context, room noom.Room, folder string, r Recognizer, out io.Writer) error {
	t := &transcript{
		room: room, folder: folder, recognizer: r, out: out, began: time.Now(),
		texts: make(chan struct{}, mostTexts), speakers: make(map[string]*pages),
	}
	ears, err := voice.Listen(ctx, room, &voice.ListenOptions{Rate: rate})
	if err != nil {
		return err
	}
	var turns sync.WaitGroup
	for turn := range ears.Turns(context.WithoutCancel(ctx)) { // to its last turn
		turns.Go(func() {
			if err := t.take(ctx, turn); err != nil {
				t.say("%s: %v", turn.Peer.Name(), err)
			}
		})
	}
	turns.Wait()
	for _, p := range t.speakers {
		if err := p.close(); err != nil {
			t.say("%v", err)
		}
	}
	return ears.Close()
}

// take writes what one member says, as it is said, and then as text.
func (t *transcript) take(ctx context.Context, turn *voice.Turn) error {
	p, err := t.pagesOf(turn.Peer)
	if err != nil || p == nil {
		return err
	}
	from := turn.Started.Sub(t.began)
	var said []int16
	place := p.begin(from)
	for pcm := range turn.PCM(context.Background()) { // it ends with the Listener
		said = append(said, pcm...)
		if place, err = p.write(place, pcm); err != nil {
			return err
		}
	}
	select {
	case t.texts <- struct{}{}:
		defer func() { <-t.texts }()
	default:
		return fmt.Errorf("no text for what was said at %v: %d are being made", from.Round(time.Second), mostTexts)
	}
	text, err := t.recognizer.Recognize(context.WithoutCancel(ctx), said)
	if err != nil || text == "" {
		return err
	}
	if len(text) > longestText {
		text = strings.ToValidUTF8(text[:longestText], "")
	}
	end, _ := turn.Ended()
	to := end.Sub(t.began)
	if err = p.note(from, to, text); err != nil {
		return err
	}
	t.say("%s: %s", turn.Peer.Name(), text)
	message, err := json.Marshal(caption{"caption", turn.Peer.ID(), turn.Peer.Name(), from.Seconds(), to.Seconds(), text})
	if err == nil && ctx.Err() == nil {
		_ = t.room.TrySend(message) // who takes no data gets no caption
	}
	return err
}

// pagesOf returns the files of a member, which are the same when it comes back; nil if there are too many.
func (t *transcript) pagesOf(peer noom.Peer) (*pages, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.speakers[peer.ID()]; p != nil {
		return p, nil
	}
	if len(t.speakers) == mostSpeakers {
		if !t.full {
			t.full = true
			return nil, fmt.Errorf("not written down: there are %d speakers already", mostSpeakers)
		}
		return nil, nil //nolint:nilnil // said once
	}
	p, err := newPages(t.folder, t.began, peer.Name(), peer.ID())
	if err != nil {
		return nil, err
	}
	t.speakers[peer.ID()] = p
	return p, nil
}

func (t *transcript) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintf(t.out, format+"\n", args...)
}
