package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// bidi is a WebDriver BiDi session (https://www.w3.org/TR/webdriver-bidi/).
type bidi struct {
	conn *websocket.Conn
	over chan struct{} // closed when nothing more will come

	mu       sync.Mutex
	last     int // id of the last command
	waiting  map[int]chan answer
	consoles map[string]func(message) // by the browsing context
}

// answer is what comes of a command, or an event.
type answer struct {
	Type    string          `json:"type"` // success, error or event
	ID      int             `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   string          `json:"error"`
	Message string          `json:"message"`
	Method  string          `json:"method"`
	Params  logEntry        `json:"params"`
}

// logEntry is one line of a page's console.
type logEntry struct {
	Level  string `json:"level"`
	Text   string `json:"text"`
	Source struct {
		Context string `json:"context"`
	} `json:"source"`
}

// message says that a warning or an error is bad, unless it is what Firefox remarks about a
// connection without a path, which the page learns by an event, or about a WebSocket of a page
// that is left. A WebSocket that has failed is
// called what Chromium calls it, so that a test can allow both.
func (l logEntry) message() message {
	text := l.Text
	if strings.Contains(text, "connection to ") && strings.Contains(text, "ws://") {
		text = "WebSocket connection: " + text
	}
	remark := strings.HasPrefix(text, "WebRTC: ICE failed, ") || strings.HasSuffix(text, " was interrupted while the page was loading.")
	return message{l.Level + ": " + text, (l.Level == "error" || l.Level == "warn") && !remark}
}

// bidiError is a command's.
type bidiError struct{ method, code, text string }

// Error implements error.
func (e *bidiError) Error() string { return fmt.Sprintf("%s: %s: %s", e.method, e.code, e.text) }

type object map[string]any // in JSON

func dialBiDi(ctx context.Context, url string) (*bidi, error) {
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(64 << 20) // pictures of pages
	b := &bidi{conn: conn, over: make(chan struct{}), waiting: make(map[int]chan answer), consoles: make(map[string]func(message))}
	go b.read()
	return b, nil
}

func (b *bidi) read() {
	defer close(b.over)
	for {
		var a answer
		if err := wsjson.Read(context.Background(), b.conn, &a); err != nil {
			return
		}
		b.mu.Lock()
		waiting, console := b.waiting[a.ID], b.consoles[a.Params.Source.Context]
		if a.Type != "event" {
			delete(b.waiting, a.ID)
		}
		b.mu.Unlock()
		switch {
		case a.Type != "event" && waiting != nil:
			waiting <- a
		case a.Method == "log.entryAdded" && console != nil:
			console(a.Params.message())
		}
	}
}

// listen has a page's console read from now on, until nil is given.
func (b *bidi) listen(page string, console func(message)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if console == nil {
		delete(b.consoles, page)
		return
	}
	b.consoles[page] = console
}

// call sends a command and waits for its result, which may be nil.
func (b *bidi) call(method string, params object, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if params == nil {
		params = object{}
	}
	came := make(chan answer, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = came
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.waiting, id)
		b.mu.Unlock()
	}()
	if err := wsjson.Write(ctx, b.conn, object{"id": id, "method": method, "params": params}); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case a := <-came:
		if a.Type == "error" {
			return &bidiError{method, a.Error, a.Message}
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(a.Result, result)
	case <-b.over:
		return fmt.Errorf("%s: %w", method, errors.New("the connection to Firefox is lost"))
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// remoteValue is a JavaScript value.
type remoteValue struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

// decoded returns it the way JSON.stringify would.
func (v remoteValue) decoded() (any, error) {
	switch v.Type {
	case "undefined", "null", "function", "symbol":
		return nil, nil
	case "string", "boolean", "date", "bigint":
		return v.Value, nil
	case "number":
		if len(v.Value) > 0 && v.Value[0] == '"' { // NaN, Infinity and -0
			return nil, nil
		}
		return v.Value, nil
	case "array":
		return v.list()
	case "object":
		return v.object()
	}
	return object{}, nil
}

func (v remoteValue) list() (any, error) {
	var values []remoteValue
	if err := json.Unmarshal(v.Value, &values); err != nil {
		return nil, err
	}
	list := make([]any, len(values))
	for i, value := range values {
		var err error
		if list[i], err = value.decoded(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (v remoteValue) object() (any, error) {
	var entries [][2]json.RawMessage
	if err := json.Unmarshal(v.Value, &entries); err != nil {
		return nil, err
	}
	o := make(object)
	for _, entry := range entries {
		var key string
		var value remoteValue
		if err := errors.Join(json.Unmarshal(entry[0], &key), json.Unmarshal(entry[1], &value)); err != nil {
			return nil, err
		}
		decoded, err := value.decoded()
		if err != nil {
			return nil, err
		}
		o[key] = decoded
	}
	return o, nil
}
