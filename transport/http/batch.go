package http

import (
	"bytes"
	"strconv"

	"noom/signal"
)

// This file is what goes up: the body of a POST request, and what answers it.

// The headers of PROTOCOL.md section 1.1.
const (
	protocolHeader = "Noom-Protocol" // opens a session, with the subprotocol as its value
	sessionHeader  = "Noom-Session"
	cursorHeader   = "Last-Event-Id" // as of server-sent events
)

// maxBatch is how many bytes a batch may have, and maxNumber how far frames are counted.
const (
	maxBatch  = 128 << 10
	maxNumber = signal.MaxTime
)

// A batch is frames with consecutive numbers on their way up.
type batch struct {
	got    int64    // the highest number that the sender has received from the other direction
	first  int64    // the number of the first frame, and of the one that would be next if there is none
	frames [][]byte // when parsed, parts of the text
	end    *ending  // nothing comes behind; nil: something may
}

// An ending is how an end closes.
type ending struct{ code signal.Code } // empty: for no reason that the other end has to know

// append appends the text of b:
//
//	the numbers got and first, in decimal with a space between, and a line feed
//	for each frame its length in bytes, in decimal, a line feed, and the frame
//	at the end, if there is one, close or close and a code, and a line feed
func (b *batch) append(out []byte) []byte {
	out = strconv.AppendInt(out, b.got, 10)
	out = append(out, ' ')
	out = strconv.AppendInt(out, b.first, 10)
	out = append(out, '\n')
	for _, frame := range b.frames {
		out = strconv.AppendInt(out, int64(len(frame)), 10)
		out = append(out, '\n')
		out = append(out, frame...)
	}
	if b.end != nil {
		out = append(out, "close"...)
		if b.end.code != "" {
			out = append(append(out, ' '), b.end.code...)
		}
		out = append(out, '\n')
	}
	return out
}

// parseBatch reads what append writes. It does not look into the frames.
func parseBatch(text []byte) (b batch, e *signal.Error) {
	line, rest, found := bytes.Cut(text, []byte{'\n'})
	got, first, both := bytes.Cut(line, []byte{' '})
	var ok [2]bool
	b.got, ok[0] = parseNumber(got)
	b.first, ok[1] = parseNumber(first)
	if !found || !both || !ok[0] || !ok[1] || b.first == 0 {
		return b, signal.Errorf(signal.CodeMalformed, "", "a batch begins with two numbers")
	}
	for len(rest) > 0 {
		line, rest, found = bytes.Cut(rest, []byte{'\n'})
		if !found {
			return b, signal.Errorf(signal.CodeMalformed, "", "a batch that breaks off")
		}
		if b.end, ok[0] = parseEnding(line); ok[0] {
			break
		}
		n, is := parseNumber(line)
		switch {
		case !is:
			return b, signal.Errorf(signal.CodeMalformed, "", "a frame in a batch begins with its length")
		case n > signal.MaxFrame:
			return b, signal.Errorf(signal.CodeTooBig, "", "a frame of more than %d bytes", signal.MaxFrame)
		case n > int64(len(rest)):
			return b, signal.Errorf(signal.CodeMalformed, "", "a batch that breaks off")
		}
		b.frames, rest = append(b.frames, rest[:n:n]), rest[n:]
	}
	if len(rest) > 0 {
		return b, signal.Errorf(signal.CodeMalformed, "", "something behind the end")
	}
	return b, nil
}

// parseNumber reads a number as append writes it.
func parseNumber(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > 16 || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, n <= maxNumber
}

// parseEnding reads the line of an ending.
func parseEnding(line []byte) (*ending, bool) {
	rest, is := bytes.CutPrefix(line, []byte("close"))
	switch {
	case !is:
		return nil, false
	case len(rest) == 0:
		return new(ending), true
	case rest[0] != ' ' || !isCode(rest[1:]):
		return nil, false
	}
	return &ending{signal.Code(rest[1:])}, true
}

// isCode reports whether a text looks like a code of PROTOCOL.md section 2, known to this version
// or not.
func isCode(text []byte) bool {
	for _, c := range text {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return len(text) > 0 && len(text) <= signal.MaxLabel
}

// An opened answers the request that opens a session.
type opened struct {
	Session string `json:"session"`
}

// A receipt answers a batch.
type receipt struct {
	Taken int64 `json:"taken"` // the highest number up to which everything was received
	Sent  int64 `json:"sent"`  // the highest number that there is in the other direction
}
