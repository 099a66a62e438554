package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"github.com/coder/websocket"
)

// relayLimit is the longest note, in bytes.
const relayLimit = 1 << 20

// A pionRelay announces newcomers to those who are there, and passes on notes. In front of each is the number of the
// member that gets it.
type pionRelay struct {
	mu      sync.Mutex
	members map[int]*websocket.Conn
}

func (r *pionRelay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	number, err := strconv.Atoi(request.URL.Query().Get("number"))
	if err != nil {
		http.Error(w, "no number", http.StatusBadRequest)
		return
	}
	c, err := websocket.Accept(w, request, nil)
	if err != nil {
		return
	}
	c.SetReadLimit(relayLimit)
	ctx := context.Background()
	if err := r.enter(ctx, number, c); err != nil {
		return
	}
	for r.passOn(ctx, c) == nil { //nolint:revive // its work is its condition
	}
}

// enter announces c. Of two that come at once, one is there when the other comes.
func (r *pionRelay) enter(ctx context.Context, number int, c *websocket.Conn) error {
	b, err := json.Marshal(note{From: number})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, other := range r.members {
		_ = other.Write(ctx, websocket.MessageText, b) // one that is gone gets nothing
	}
	r.members[number] = c
	return nil
}

func (r *pionRelay) passOn(ctx context.Context, c *websocket.Conn) error {
	_, b, err := c.Read(ctx)
	if err != nil {
		return err
	}
	to, note, _ := bytes.Cut(b, []byte(" "))
	number, err := strconv.Atoi(string(to))
	if err != nil {
		return err
	}
	r.mu.Lock()
	other := r.members[number]
	r.mu.Unlock()
	if other == nil {
		return errors.New("a note to nobody")
	}
	return other.Write(ctx, websocket.MessageText, note)
}
