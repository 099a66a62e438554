package noomtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"noom"
)

// maxTraceLine bounds a line of a file of traces, in bytes.
const maxTraceLine = 1 << 20

// traceLine is a trace as a file has it: what its Message's JSON leaves out stands beside it.
type traceLine struct {
	noom.Trace

	Body []byte `json:",omitempty"`
}

// WriteTrace writes what [noom.Config].Trace was called with: a line of JSON, for [ReadTrace]. It is not safe to use from
// several goroutines at once, in which Trace is called.
func WriteTrace(w io.Writer, e noom.Trace) error {
	l := traceLine{Trace: e}
	if e.Message != nil {
		l.Body = e.Message.Body
	}
	return json.NewEncoder(w).Encode(l)
}

// ReadTrace reads what [WriteTrace] has written. An error says in which line something is wrong.
func ReadTrace(r io.Reader) ([]noom.Trace, error) {
	var all []noom.Trace
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTraceLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var l traceLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("noomtest: line %d of the trace: %w", n, err)
		}
		if l.Message != nil {
			l.Message.Body = l.Body
		}
		all = append(all, l.Trace)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("noomtest: a line of the trace has more than %d bytes", maxTraceLine)
	} else if err != nil {
		return nil, fmt.Errorf("noomtest: reading the trace: %w", err)
	}
	return all, nil
}
