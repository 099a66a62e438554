package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/media"
)

// film is what is played together: a WebM or Matroska file, or files of one name.
type film []string

// playable are the ends of names that are looked for in a folder; what a file really is, its
// contents show.
var playable = []string{".webm", ".mkv", ".ivf", ".h264", ".ogg"}

// listFilms returns the films at path in the order of their names.
func listFilms(path string) ([]film, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		one, refused := media.OpenFilm(nil, path) // what cannot be played is reported before joining
		if refused != nil {
			return nil, refused
		}
		return []film{{path}}, one.Close()
	}
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	byName := map[string]film{}
	for _, f := range files {
		ext := filepath.Ext(f.Name())
		i := slices.Index(playable, ext)
		if i < 0 {
			continue
		}
		name := f.Name()
		if i > 1 { // a picture or a sound, which may have the other
			name = strings.TrimSuffix(name, ext)
		}
		byName[name] = append(byName[name], filepath.Join(path, f.Name()))
	}
	films := slices.SortedFunc(maps.Values(byName), slices.Compare)
	if films == nil {
		return nil, fmt.Errorf("%s: no file in it that ends in %s", path, strings.Join(playable, ", "))
	}
	return films, nil
}

// channel is what the room gets: a picture and a sound, each in a sender that
// stays from film to film.
type channel struct {
	room           noom.Room
	out            io.Writer
	picture, sound noom.Sender
}

// playAll plays films one after the other, over and over, until ctx ends. The error says that none of them can be played.
func (c *channel) playAll(ctx context.Context, films []film) error {
	failed := 0 // in a row
	for i := 0; ctx.Err() == nil; i++ {
		err := c.play(ctx, films[i%len(films)])
		switch {
		case err == nil:
			failed = 0
			continue
		case errors.Is(err, noom.ErrClosed): // the room is over
			return nil
		}
		if failed++; failed == len(films) {
			return err
		}
		c.say("%v", err)
	}
	return nil
}

// play plays a film to its end.
func (c *channel) play(ctx context.Context, paths film) error {
	c.say("playing %s", strings.Join(paths, " and "))
	playing, err := media.OpenFilm(&media.FileOptions{Once: true}, paths...)
	if err != nil {
		return err
	}
	defer func() { _ = playing.Close() }() // nothing was written, so nothing is lost
	for _, source := range playing.Tracks() {
		sender := &c.picture
		if source.Kind() == webrtc.RTPCodecTypeAudio {
			sender = &c.sound
		}
		if err := c.send(ctx, sender, source); err != nil {
			return err
		}
	}
	select {
	case <-playing.Done():
	case <-ctx.Done():
	}
	if err := playing.Err(); err != nil {
		c.say("%v", err)
	}
	return nil
}

// send makes source what sender sends, which may be nil at first.
func (c *channel) send(ctx context.Context, sender *noom.Sender, source *media.Source) (err error) {
	if *sender != nil {
		return (*sender).ReplaceTrack(source)
	}
	*sender, err = c.room.Publish(ctx, source, nil)
	return err
}

func (c *channel) say(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format+"\n", args...) }
