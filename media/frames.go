package media

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// frame is what goes out under one RTP timestamp: a picture or an Opus packet.
type frame struct {
	at   time.Duration // since the first frame; rises
	data []byte        // good until the next frame is asked for
}

// frames is where a Source gets its frames from. It knows no clock and belongs
// to the one goroutine that plays it.
type frames interface {
	// next returns the next frame, io.EOF behind the last, or what is wrong
	// with the file, and then the file ends there.
	next() (frame, error)
	// end returns when the last frame returned is over.
	end() time.Duration
	// rewind makes the first frame the next one.
	rewind() error
	Close() error
}

// maxFrame bounds a picture: a key frame of 4K video at a high rate has 1 MiB.
const maxFrame = 4 << 20

// input is a file being read, and closed in the end if we opened it.
type input struct {
	io.ReadSeeker
	close func() error
}

func (in input) Close() error {
	if in.close == nil {
		return nil
	}
	return in.close()
}

// cut turns the two ways in which reading ends early into ErrTruncated, and
// leaves errors of the operating system as they are.
func cut(err error, what string, args ...any) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w in %s", ErrTruncated, fmt.Sprintf(what, args...))
	}
	return err
}

// foreign says what a file is that begins with head and is not what was wanted.
func foreign(head []byte, wanted string) error {
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
