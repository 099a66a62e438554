package signal

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Code says why a frame, a join or a connection was refused.
type Code string

// The codes of PROTOCOL.md section 2.
const (
	CodeMalformed     Code = "malformed"
	CodeTooBig        Code = "too_big"
	CodeTooLate       Code = "too_late"
	CodeTooSlow       Code = "too_slow"
	CodeJoinFirst     Code = "join_first"
	CodeBadRoom       Code = "bad_room"
	CodeBadProof      Code = "bad_proof"
	CodeRefused       Code = "refused"
	CodeRoomFull      Code = "room_full"
	CodeHubFull       Code = "hub_full"
	CodeShuttingDown  Code = "shutting_down"
	CodeAlreadyJoined Code = "already_joined"
	CodeBadName       Code = "bad_name"
	CodeBadChat       Code = "bad_chat"
	CodeNoSuchMember  Code = "no_such_member"
	CodeForbidden     Code = "forbidden"
	CodeLocked        Code = "locked"
	CodeKicked        Code = "kicked"
	CodeTooMany       Code = "too_many"
	CodeFailed        Code = "failed"
)

// Error is a refusal with its code: what a hub sends in an error frame, and
// what the codec returns for bytes that are no frame. Two of them match under
// [errors.Is] when their codes are equal.
type Error struct {
	Code    Code
	Message string // English, for a log
	About   Type   // the type of frame refused, if known

	// RetryAfter is after how long trying again makes sense; 0: nothing is said.
	RetryAfter time.Duration
}

// Error returns the message, then the code in brackets. Characters that control a terminal are
// removed, because the other end wrote it and errors are printed.
func (e *Error) Error() string {
	text := string(e.Code)
	if e.Message != "" {
		text = e.Message + " (" + text + ")"
	}
	return Printable(text)
}

// Printable puts text from another end on one line: unprintable characters become spaces, above all
// those that control a terminal.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

// Is reports whether target is an *Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Errorf makes an Error. Its message is cut to 512 bytes, and about is dropped if it is no known
// type, because both may quote a stranger.
func Errorf(code Code, about Type, format string, args ...any) *Error {
	text := fmt.Sprintf(format, args...)
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + "…"
	}
	if !about.known() {
		about = ""
	}
	return &Error{Code: code, Message: strings.ToValidUTF8(text, "�"), About: about}
}

const maxErrorText = 512
