package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/media"
)

// film is what is played together: files of one name.
type film []string

// openers say how a file is opened, by the end of its name.
var openers = map[string]func(string, *media.FileOptions) (*media.Source, error){
	".ivf": media.OpenIVF, ".ogg": media.OpenOgg, ".h264": media.OpenH264,
}

// listFilms returns the films at path in the order of their names.
func listFilms(path string) ([]film, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if openers[filepath.Ext(path)] == nil {
			return nil, fmt.Errorf("%s: want an .ivf, .ogg or .h264 file", path)
		}
		return []film{{path}}, nil
	}
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	byName := map[string]film{}
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); openers[ext] != nil {
			name := strings.TrimSuffix(f.Name(), ext)
			byName[name] = append(byName[name], filepath.Join(path, f.Name()))
		}
	}
	var films []film
	for _, f := range byName {
		films = append(films, f)
	}
	if films == nil {
		return nil, fmt.Errorf("%s: no .ivf, .ogg or .h264 file in it", path)
	}
	slices.SortFunc(films, func(a, b film) int { return cmp.Compare(a[0], b[0]) })
	return films, nil
}

// channel is what the room gets: a picture and a sound, each in a sender that
// stays from film to film.
type channel struct {
	room           noom.Room
	out            io.Writer
	picture, sound noom.Sender
}

// play plays a film to its end.
func (c *channel) play(ctx context.Context, f film) error {
	c.say("playing %s", strings.Join(f, " and "))
	var playing []*media.Source
	defer func() {
		for _, s := range playing {
			_ = s.Close() // nothing was written, so nothing is lost
		}
	}()
	for _, path := range f {
		source, err := openers[filepath.Ext(path)](path, &media.FileOptions{Once: true})
		if err != nil {
			return err
		}
		playing = append(playing, source)
	}
	for _, source := range playing {
		sender := &c.picture
		if source.Kind() == webrtc.RTPCodecTypeAudio {
			sender = &c.sound
		}
		if err := c.send(ctx, sender, source); err != nil {
			return err
		}
	}
	for i, source := range playing {
		select {
		case <-source.Done():
		case <-ctx.Done():
		case <-c.room.Done():
		}
		if err := source.Err(); err != nil {
			c.say("%s: %v", f[i], err)
		}
	}
	return nil
}

// send makes source what sender sends, or a sender of its codec.
func (c *channel) send(ctx context.Context, sender *noom.Sender, source *media.Source) error {
	if *sender != nil {
		err := (*sender).ReplaceTrack(source)
		if err == nil || !errors.Is(err, noom.ErrCodec) {
			return err
		}
		_ = (*sender).Close() // what follows is of another codec
	}
	var err error
	*sender, err = c.room.Publish(ctx, source, nil)
	return err
}

func (c *channel) say(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format+"\n", args...) }
