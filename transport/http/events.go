package http

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strconv"

	"noom/signal"
)

// This file is what comes down: server-sent events, as the HTML standard defines them (section
// 9.2). The id of each is its number.

// The kinds of events apart from a plain frame.
const (
	eventBase64 = "base64" // a frame in base64, because the lines of an event can hold no carriage return
	eventClose  = "close"  // the server has closed; the data is the code, if there is one
)

// streamHello is a comment, which shows that a response is not held back.
const streamHello = ": noom\n\n"

// appendEvent appends a frame.
func appendEvent(out []byte, number int64, frame []byte) []byte {
	out = appendID(out, number)
	if bytes.IndexByte(frame, '\r') >= 0 {
		out = append(out, "event: "+eventBase64+"\ndata: "...)
		return append(base64.StdEncoding.AppendEncode(out, frame), "\n\n"...)
	}
	for line := range bytes.SplitSeq(frame, []byte{'\n'}) {
		out = append(append(append(out, "data: "...), line...), '\n')
	}
	return append(out, '\n')
}

// appendEnding appends the last event.
func appendEnding(out []byte, number int64, end *ending) []byte {
	out = append(appendID(out, number), "event: "+eventClose+"\ndata: "...)
	return append(append(out, end.code...), "\n\n"...)
}

func appendID(out []byte, number int64) []byte {
	return append(strconv.AppendInt(append(out, "id: "...), number, 10), '\n')
}

// An event is one that has been read.
type event struct {
	number int64
	frame  []byte  // belongs to the receiver
	end    *ending // instead of a frame
}

// An eventReader reads events. It keeps at most one, and takes none that is too big.
type eventReader struct {
	in *bufio.Reader

	number int64 // of the event that is being read; 0: not known yet
	kind   string
	data   []byte
	lines  int
}

func newEventReader(in io.Reader) *eventReader { return &eventReader{in: bufio.NewReader(in)} }

// mostEvent bounds the data of an event: a frame of the largest size in base64.
const mostEvent = (signal.MaxFrame + 2) / 3 * 4

// next returns the next frame or ending. Comments, and events without a number, are skipped. Its
// error is io.EOF where the response ends, whatever was begun by then.
func (r *eventReader) next() (event, error) {
	for {
		line, err := r.line()
		if err != nil {
			return event{}, err
		}
		if len(line) > 0 {
			if err = r.field(line); err != nil {
				return event{}, err
			}
			continue
		}
		e, is, err := r.dispatch()
		if is || err != nil {
			return e, err
		}
	}
}

// line reads a line without its end, valid until the next call.
func (r *eventReader) line() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		whole := bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = r.in.ReadSlice('\n')
			if len(whole)+len(line) > mostEvent+64 {
				return nil, signal.Errorf(signal.CodeTooBig, "", "an event of more than %d bytes", mostEvent)
			}
			whole = append(whole, line...)
		}
		line = whole
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
}

// field takes one line of an event.
func (r *eventReader) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	switch string(name) {
	case "id":
		n, ok := parseNumber(value)
		if !ok || n == 0 {
			return signal.Errorf(signal.CodeMalformed, "", "an event whose id is no number")
		}
		r.number = n
	case "event":
		r.kind = string(value[:min(len(value), 16)]) // none of ours is longer
	case "data":
		if r.lines++; r.lines > 1 {
			r.data = append(r.data, '\n')
		}
		if r.data = append(r.data, value...); len(r.data) > mostEvent {
			return signal.Errorf(signal.CodeTooBig, "", "an event of more than %d bytes", mostEvent)
		}
	}
	return nil
}

// dispatch ends an event. It reports false if it means nothing.
func (r *eventReader) dispatch() (e event, is bool, err error) {
	e.number = r.number
	kind, data, lines := r.kind, r.data, r.lines
	r.number, r.kind, r.data, r.lines = 0, "", nil, 0
	if e.number == 0 || lines == 0 {
		return e, false, nil
	}
	switch kind {
	case "":
		e.frame = data
	case eventBase64:
		if e.frame, err = base64.StdEncoding.AppendDecode(nil, data); err != nil {
			return e, false, signal.Errorf(signal.CodeMalformed, "", "an event: %v", err)
		}
	case eventClose:
		e.end = new(ending)
		if isCode(data) {
			e.end.code = signal.Code(data)
		}
	default:
		return e, false, signal.Errorf(signal.CodeMalformed, "", "an event of a kind that is not known")
	}
	if len(e.frame) > signal.MaxFrame {
		return e, false, signal.Errorf(signal.CodeTooBig, "", "a frame of more than %d bytes", signal.MaxFrame)
	}
	return e, true, nil
}
