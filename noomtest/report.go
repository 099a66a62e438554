package noomtest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// report says what happened in a test that has failed. If connections have to do with it, it prints
// up to 300 lines of the transcript and of the diagram, otherwise the last 20 before the goodbyes.
func (b *bubble) report() {
	w := b.world.Load()
	if w == nil {
		return
	}
	text, diagram := w.transcript.String(), w.transcript.Mermaid()
	rest, err := b.keep(w, text, diagram)
	if err != nil {
		rest = fmt.Sprintf("nowhere: %v", err)
	}
	if !b.connections.Load() {
		if b.until == "" { // it failed later, in a cleanup
			b.until = text
		}
		b.t.Logf("noomtest: what came before the test ended (seed %d); the whole transcript is in %s\n%s", w.options.seed, rest, tail(b.until, 20))
		return
	}
	b.t.Logf("noomtest: transcript (seed %d), also in %s\n%s", w.options.seed, rest, tail(text, 300))
	b.t.Logf("noomtest: sequence diagram\n```mermaid\n%s```", tail(diagram, 300))
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9=_-]+`)

// keep writes both to files that outlive the test, and returns their folder.
func (b *bubble) keep(w *World, text, diagram string) (dir string, err error) {
	if artifacts := flag.Lookup("test.artifacts"); artifacts != nil && artifacts.Value.String() == "true" {
		dir = b.t.ArtifactDir()
	} else if dir, err = os.MkdirTemp("", "noomtest-"+notInNames.ReplaceAllString(b.t.Name(), "-")+"-"); err != nil {
		return "", err
	}
	file, err := os.Create(filepath.Join(dir, "transcript.jsonl"))
	if err != nil {
		return "", err
	}
	return dir, errors.Join(
		w.transcript.WriteJSON(file), file.Close(),
		os.WriteFile(filepath.Join(dir, "transcript.txt"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(dir, "diagram.mmd"), []byte(diagram), 0o644),
	)
}

// tail returns the last n lines of text, but always the beginning of a diagram.
func tail(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	if len(lines) <= n {
		return text
	}
	head := 0
	for head < len(lines) && (head == 0 && lines[0] == "sequenceDiagram\n" || strings.Contains(lines[head], "participant ")) {
		head++
	}
	cut := max(head, len(lines)-n)
	note := fmt.Sprintf("(%d lines left out)\n", cut-head)
	if head > 0 {
		note = "    %% " + note
	}
	return strings.Join(lines[:head], "") + note + strings.Join(lines[cut:], "")
}
