package noom

import (
	"context"
	"fmt"
	"io"

	"noom/internal/files"
)

// FileOptions are those of [Peer].SendFile and [OfferedFile]; nil: none.
type FileOptions struct {
	// Progress, if not nil, is called when more bytes of the file have arrived: done of total. It is called by the
	// goroutine that has called SendFile or Accept, so it may wait, and the file with it. The last call before a file has
	// arrived is the only one in which done is total.
	Progress func(done, total int64)
}

// OfferedFile is a file that a peer wants to send with [Peer].SendFile. It comes only if this member accepts it.
type OfferedFile interface {
	// Name returns what the sender calls the file, in a form that every system takes for the name of a file: 1 to 255
	// bytes, no slashes, nothing invisible. The file may be anything, whatever its name says.
	Name() string
	// Size returns how many bytes the file has, at most 2^46.
	Size() int64
	// Accept receives the file, and returns when all of it is written to w. It writes in order, from offset 0, exactly Size
	// bytes, each chunk once its SHA-256 is verified; after an error w has some of the first ones. Connections that
	// are lost meanwhile cost no more than what was on its way. Four files of a peer come at a time; Accept waits until
	// there is room. If ctx ends, the sender learns it. Errors: [*FileError], also if w does not take what comes, if the
	// sender gives up; [ErrClosed] if the peer goes, or if the file was accepted or declined before; ctx's.
	Accept(ctx context.Context, w io.WriterAt, o *FileOptions) error
	// Decline says that this member does not want the file: the sender gets [ErrDeclined]. It does not wait, and does
	// nothing if the file was accepted before.
	Decline()
}

// FileCode says why a file did not arrive.
type FileCode string

// The codes of a [FileError].
const (
	FileDeclined    FileCode = "declined"    // the receiver does not want it
	FileCancelled   FileCode = "cancelled"   // an end has given up; its application knows why
	FileChanged     FileCode = "changed"     // the file has changed while it was sent: send it again
	FileFailed      FileCode = "failed"      // it cannot be read, or written
	FileBusy        FileCode = "busy"        // the receiver has too many offers that it has not looked at: try again later
	FileTooBig      FileCode = "too_big"     // it is larger than the receiver's [Config].MaxFileSize, or than 2^46 bytes
	FileStalled     FileCode = "stalled"     // nothing came from the other end for 60 s, though it was connected
	FileBroken      FileCode = "broken"      // the other end broke the protocol
	FileUnsupported FileCode = "unsupported" // the peer's noom does not know files, or does not answer
)

// FileError is why a file did not arrive. It matches, for errors.Is, any FileError with the same code.
type FileError struct {
	Code   FileCode
	Remote bool  // the other end has said so
	Err    error // of reading or writing; nil if there is none
}

// Errors to compare with errors.Is.
var (
	// ErrDeclined: the peer does not want the file.
	ErrDeclined error = &FileError{Code: FileDeclined}
	// ErrFileChanged: the file has changed while it was sent. Send it again.
	ErrFileChanged error = &FileError{Code: FileChanged}
)

var fileWords = map[FileCode]string{
	FileDeclined:    "the peer does not want it",
	FileCancelled:   "cancelled",
	FileChanged:     "it has changed meanwhile; send it again",
	FileFailed:      "it cannot be read or written",
	FileBusy:        "the peer has too many offers; try again later",
	FileTooBig:      "it is too big",
	FileStalled:     "nothing came for a minute",
	FileBroken:      "the protocol was broken",
	FileUnsupported: "the peer does not know files",
}

func (e *FileError) Error() string {
	text := "noom: file: " + fileWords[e.Code]
	if e.Remote && e.Code != FileDeclined && e.Code != FileBusy {
		text += ", says the peer"
	}
	if e.Err != nil {
		text += fmt.Sprintf(": %v", e.Err)
	}
	return text
}

// Unwrap returns the error of reading or writing.
func (e *FileError) Unwrap() error { return e.Err }

// Is reports whether target is a [*FileError] with the same code.
func (e *FileError) Is(target error) bool {
	t, ok := target.(*FileError)
	return ok && t.Code == e.Code
}

var fileCodes = [...]FileCode{
	files.Declined: FileDeclined, files.Cancelled: FileCancelled, files.Changed: FileChanged, files.Failed: FileFailed,
	files.Busy: FileBusy, files.TooBig: FileTooBig, files.Stalled: FileStalled, files.Broken: FileBroken,
	files.Unsupported: FileUnsupported,
}

// fileError returns how a file ended, nil if it has arrived. cause is the error of this end, if there is one.
func fileError(e files.End, cause error) error {
	if e.Code == files.None {
		return nil
	}
	if e.Remote {
		cause = nil
	}
	return &FileError{Code: fileCodes[e.Code], Remote: e.Remote, Err: cause}
}
