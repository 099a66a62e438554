package media

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// frame is what goes out under one RTP timestamp: a picture or an Opus packet.
type frame struct {
	track int           // 0, or 1 for the sound of a file with both
	at    time.Duration // since the first frame; rises within a track
	key   bool          // playing can begin here
	data  []byte        // good until the next frame is asked for
	level int           // dBov, of sound; 0: it is not known
}

// frames is where a reel gets its frames from. It knows no clock and belongs
// to the one goroutine that plays it.
type frames interface {
	// next returns the next frame, io.EOF behind the last, or what is wrong
	// with the file, and then the file ends there.
	next() (frame, error)
	// end returns when the frames returned so far are over.
	end() time.Duration
	// seek makes the latest key frame at or before at the next one, or the
	// first. After next has failed it works all the same.
	seek(at time.Duration) error
	Close() error
}

// plainFile is a file without an index.
type plainFile interface {
	next() (frame, error)
	rewind() error // makes the first frame the next one
}

// seekByReading seeks in a file without an index: it is read up to there,
// twice. Damage on the way is left to be found when playing comes to it.
func seekByReading(p plainFile, at time.Duration) error {
	before := 0 // how many frames lie before the key frame
	if at > 0 {
		if err := p.rewind(); err != nil {
			return err
		}
		for i := 0; ; i++ {
			f, err := p.next()
			if err != nil || f.at > at {
				break
			}
			if f.key {
				before = i
			}
		}
	}
	if err := p.rewind(); err != nil {
		return err
	}
	for range before {
		if _, err := p.next(); err != nil {
			return err
		}
	}
	return nil
}

const (
	// absurdPause is a pause that means a damaged time: a room may be recorded over a silent
	// holiday.
	absurdPause = 30 * 24 * time.Hour
	// absurdBack is how far a frame may lie before one that comes earlier.
	absurdBack = 10 * time.Second
)

// maxFrame bounds a picture: a key frame of 4K video at a high rate has 1 MiB.
const maxFrame = 4 << 20

// input is a file being read, and closed in the end if we opened it.
type input struct {
	io.ReadSeeker
	close func() error
}

// goTo makes the byte at pos the next one that buf gives.
func (in input) goTo(buf *bufio.Reader, pos int64) error {
	_, err := in.Seek(pos, io.SeekStart)
	buf.Reset(in)
	return err
}

func (in input) Close() error {
	if in.close == nil {
		return nil
	}
	return in.close()
}

// truncation turns the two ways in which reading ends early into ErrTruncated, and
// leaves errors of the operating system as they are.
func truncation(err error, what string, args ...any) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w in %s", ErrTruncated, fmt.Sprintf(what, args...))
	}
	return err
}

// foreignFileError says what a file is that begins with head and is not what was wanted.
func foreignFileError(head []byte, wanted string) error {
	for _, known := range [...]struct{ name, magic string }{
		{"an IVF file", "DKIF"},
		{"an Ogg file", "OggS"},
		{"a WebM or Matroska file", "\x1a\x45\xdf\xa3"},
		{"a WAV or AVI file", "RIFF"},
		{"an MP3 file", "ID3"},
		{"a FLAC file", "fLaC"},
	} {
		if bytes.HasPrefix(head, []byte(known.magic)) {
			return fmt.Errorf("not %s: %w (%s)", wanted, ErrForeign, known.name)
		}
	}
	if len(head) >= 8 && string(head[4:8]) == "ftyp" {
		return fmt.Errorf("not %s: %w (an MP4 or MOV file)", wanted, ErrForeign)
	}
	return fmt.Errorf("not %s: %w, it begins with %q", wanted, ErrForeign, head)
}
