package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"noom"
	"noom/media"
)

// tape is the file that is being recorded, if there is one. Handlers share it.
type tape struct {
	folder string
	out    io.Writer

	mu        sync.Mutex
	file      *os.File
	recording *media.Recording
}

// begin begins a file, unless there is one.
func (t *tape) begin(room noom.Room) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.recording != nil {
		return
	}
	name := time.Now().Format("2006-01-02_15.04.05.000") + ".webm"
	file, err := os.OpenFile(filepath.Join(t.folder, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		t.say("not recorded: %v", err)
		return
	}
	t.file, t.recording = file, media.RecordRoom(context.Background(), file, room)
	t.say("recording into %s", file.Name())
}

// stopWithout completes the file if no peer is left.
func (t *tape) stopWithout(peers []noom.Peer) {
	if len(peers) == 0 {
		t.stop()
	}
}

// stop completes the file.
func (t *tape) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.recording == nil {
		return
	}
	if err := t.recording.Close(); err != nil {
		t.say("%v", err)
	}
	if err := t.file.Close(); err != nil {
		t.say("%v", err)
	}
	t.say("recorded %s", t.file.Name())
	t.file, t.recording = nil, nil
}

func (t *tape) say(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format+"\n", args...) }
