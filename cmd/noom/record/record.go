// Package record is noom record: a call as one WebM or MP4 file.
package record

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"noom"
	"noom/cmd/noom/call"
	"noom/cmd/noom/command"
	"noom/media"
	"noom/signal"
)

const usage = `noom record writes a call into one WebM or MP4 file, with the picture and sound of everyone in it.
The others see a member named recorder, or what -name says.

  -url URL           the hub (default ws://localhost:8080/ws); may be repeated, or have
                     several with commas between, if they serve the same rooms
  -room NAME         the room, in any language (default demo)
  -name NAME         the nickname (default recorder)
  -token-env VAR     the token or password that the hub wants, from that variable
                     of the environment
  -token TOKEN       the same, where no other user can read this machine's
                     command lines
  -ice URL           a STUN or TURN server instead of the hub's, such as
                     stun:host:3478 or turn:user:password@host:3478; may be
                     repeated; "none": no server

  -out FILE          where to, as MP4 if it ends in .mp4 and as WebM otherwise; MP4
                     takes no VP8, so the others are asked for H.264, VP9 or AV1,
                     and whoever sends VP8 all the same is left out; the file must
                     not be there yet (default: the room, the time and .webm, in
                     this folder)
  -duration TIME     stop after so long, such as 90m (default: when interrupted,
                     or when the room is over)
  -alone             go on when everyone has left (default: stop then)
  -quiet             do not say how long and how large it is by now
`

// options are the flags.
type options struct {
	call.Call

	out          string
	duration     time.Duration
	alone, quiet bool

	came atomic.Bool // there was a track
}

// Command returns the command.
func Command() command.Command {
	return command.Command{
		Name: "noom record", Summary: "write a call into a WebM or MP4 file", Usage: usage,
		Flags: func() *flag.FlagSet { return new(options).flags() },
		Do: func(ctx context.Context, args []string, streams command.Streams) error {
			o := new(options)
			if _, err := command.Parse(o.flags(), args); err != nil {
				return err
			}
			if err := o.Check(); err != nil {
				return err
			}
			if o.duration < 0 {
				return command.Wrong("-duration: %v lies in the past", o.duration)
			}
			return o.record(ctx, command.NewProgress(streams.Out))
		},
	}
}

func (o *options) flags() *flag.FlagSet {
	flags := command.NewFlags()
	o.Add(flags, "recorder")
	flags.StringVar(&o.out, "out", "", command.FileValue)
	flags.DurationVar(&o.duration, "duration", 0, "")
	flags.BoolVar(&o.alone, "alone", false, "")
	flags.BoolVar(&o.quiet, "quiet", false, "")
	return flags
}

// goodbye bounds how long leaving may take.
const goodbye = 3 * time.Second

// record opens the file before it joins, so that nobody is asked to a call that is not recorded.
func (o *options) record(ctx context.Context, progress *command.Progress) (err error) {
	if o.out == "" {
		o.out = fileName(o.Room, time.Now())
	}
	file, err := os.OpenFile(o.out, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("-out: %s is there already; choose another name", o.out)
	}
	if err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	defer func() {
		if info, statErr := file.Stat(); statErr == nil && info.Size() == 0 {
			err = errors.Join(err, os.Remove(o.out)) // nothing has begun
		}
		err = errors.Join(err, file.Close())
	}()
	config := &noom.Config{Logger: call.Warnings(func(line string) { progress.Say("warning: %s", line) })}
	begin := media.Record
	if strings.EqualFold(filepath.Ext(o.out), ".mp4") {
		begin, config.PreferredCodecs = media.RecordMP4, media.MP4Codecs()
	}
	room, err := o.Join(ctx, config)
	if err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop before it had joined
		}
		return err
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for event := range room.Events(context.Background()) { // up to the end of the room; they would wait for us otherwise
			if _, ok := event.(noom.TrackAdded); ok {
				o.came.Store(true)
			}
		}
	}()
	defer func() {
		leaving, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		_ = room.Leave(leaving) // a hub that misses the goodbye will notice
		<-drained
	}()
	progress.Say("recording %q into %s", signal.Printable(room.Name()), o.out)
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	began := time.Now()
	recording := begin(context.Background(), file)
	media.AddRoom(recording, room)
	warned := false
	o.follow(ctx, room, recording, func() {
		if lacks := recording.Err(); lacks != nil && !warned { // nobody wants to learn of it when the call is over
			warned = true
			progress.Say("warning: %s", signal.Printable(lacks.Error()))
		}
		o.tell(progress, file, began, len(room.Peers()))
	})
	if err = recording.Close(); err != nil {
		return err
	}
	return o.conclude(progress, file, began, room.Err())
}

// follow returns when the recording is to end.
func (o *options) follow(ctx context.Context, room noom.Room, recording *media.Recording, tell func()) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	met := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-room.Done():
			return
		case <-recording.Done():
			return
		case <-second.C:
			tell()
		}
		others := len(room.Peers()) > 0
		if met && !others && !o.alone {
			return
		}
		met = met || others
	}
}

// tell says how far it is.
func (o *options) tell(progress *command.Progress, file *os.File, began time.Time, members int) {
	info, err := file.Stat()
	if err != nil || o.quiet {
		return
	}
	progress.Show("recording: %v, %s, of %d", time.Since(began).Round(time.Second), command.Size(info.Size()), members)
}

// conclude says what there is now.
func (o *options) conclude(progress *command.Progress, file *os.File, began time.Time, ended error) error {
	info, err := file.Stat()
	switch {
	case err != nil:
		return err
	case !o.came.Load():
		if err := os.Remove(o.out); err != nil {
			return err
		}
		progress.Say("nothing to record came, so there is no file")
	default:
		progress.Say("recorded %s: %v, %s", o.out, time.Since(began).Round(time.Second), command.Size(info.Size()))
	}
	if ended != nil {
		return fmt.Errorf("the room is over: %w", ended)
	}
	return nil
}

// fileName is a name for a recording that every system takes, and no shell has to be told to leave alone.
func fileName(room string, at time.Time) string {
	room = strings.Map(func(r rune) rune {
		if strings.ContainsRune(` /\:*?"<>|'$&;()[]{}!#~`+"`", r) || r < ' ' {
			return '_'
		}
		return r
	}, room)
	return filepath.Clean(strings.TrimLeft(room, ".-") + "_" + at.Format("2006-01-02_15.04.05") + ".webm")
}
