package media

import (
	"errors"
	"net"
)

// What can be wrong with a file, to compare with errors.Is. They arrive inside
// a [*FileError].
var (
	ErrEmpty       = errors.New("no frame in it")
	ErrForeign     = errors.New("another kind of file")
	ErrTruncated   = errors.New("cut off")
	ErrDamaged     = errors.New("damaged")
	ErrUnsupported = errors.New("cannot be sent")
)

// ErrClosed is what binding a source gives that was closed or has ended. It
// matches net.ErrClosed.
var ErrClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string        { return "media: source is closed" }
func (closedError) Is(target error) bool { return target == net.ErrClosed }

// FileError says which file cannot be played, or not to its end, and why.
type FileError struct {
	Path string // as it was given; empty where a reader was
	Err  error  // an error of the operating system, or one that wraps ErrEmpty, ErrForeign, …
}

func (e *FileError) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }
