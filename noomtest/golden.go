package noomtest

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"noom/noomtest/transcript"
	"noom/signal"
)

var rewrite = flag.Bool("noomtest.rewrite", false, "rewrite golden files instead of comparing with them")

// Golden compares what the members have sent each other so far with the file testdata/name.txt, and
// fails the test where they differ. With the flag -noomtest.rewrite it rewrites the file; commit it
// when you can explain each line that has changed.
//
// The file has a paragraph for each two members, in the order in which they met. It holds the
// frames that negotiate, as they were sent, and what became of the two: states, epochs, faults. It
// leaves out what differs between two runs of the same test, or says nothing about decisions:
// times, acknowledgements, numbers of candidates, and repeated frames. Ids and addresses in notes
// are replaced.
func (w *World) Golden(name string) {
	w.t.Helper()
	got := dialogues(w.transcript.Lines())
	path := filepath.Join("testdata", name+".txt")
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.t.Fatalf("noomtest: there is no %s yet: run this test once with -noomtest.rewrite", path)
	case err != nil:
		w.t.Fatal(err)
	case string(want) != got:
		w.t.Errorf("noomtest: not as in %s, which -noomtest.rewrite rewrites:\n%s", path, difference(string(want), got))
	}
}

// dialogues returns what each two members sent each other.
func dialogues(lines []transcript.Line) string {
	type two [2]string
	var order []two
	texts := make(map[two][]string)
	said := make(map[string]bool)
	for _, l := range stable(lines) {
		pair := two{l.Self, l.Peer}
		slices.Sort(pair[:])
		if l.Self == "" || l.Peer == transcript.Hub {
			pair = two{}
		}
		text, key := dialogue(&l)
		if text == "" || key != "" && said[key] {
			continue
		}
		said[key] = true
		if !slices.Contains(order, pair) {
			order = append(order, pair)
		}
		texts[pair] = append(texts[pair], text)
	}
	var b strings.Builder
	for _, pair := range order {
		if pair != (two{}) {
			fmt.Fprintf(&b, "%s and %s\n", pair[0], pair[1])
		} else {
			b.WriteString("the test, the hub\n")
		}
		for _, text := range texts[pair] {
			fmt.Fprintf(&b, "  %s\n", text)
		}
		b.WriteByte('\n')
	}
	return normalise(b.String())
}

// stable sorts what happened at one instant by the member that reports it: between two goroutines
// any order is by chance.
func stable(lines []transcript.Line) []transcript.Line {
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b transcript.Line) int {
		if a.At != b.At {
			return int(a.At - b.At)
		}
		return strings.Compare(a.Self, b.Self)
	})
	return lines
}

// dialogue is a line as a golden file has it, empty if it has none; lines with the same key appear
// once.
func dialogue(l *transcript.Line) (text, key string) {
	switch {
	case l.Self == "":
		return "-- " + l.Text, ""
	case l.Peer == transcript.Hub:
		if l.Kind == transcript.Note {
			return l.Self + ": " + l.Text, ""
		}
		return "", ""
	case l.Kind == transcript.State:
		return l.Self + ": " + l.Text, ""
	case l.Kind == transcript.Note && strings.HasPrefix(l.Text, "epoch"):
		return l.Self + ": " + l.Text, ""
	case l.Kind != transcript.Sent || l.Type == signal.TypeAck || l.Type == signal.TypeCandidates:
		return "", ""
	}
	by := "by hub"
	if l.InBand {
		by = "in-band"
	}
	text = fmt.Sprintf("%s -> %s: %s", l.Self, l.Peer, strings.TrimSpace(string(l.Type)+" "+l.Text))
	return fmt.Sprintf("%s, %s, epoch %d of %s", text, by, l.Number, l.By), fmt.Sprintf("%s %d %s %d %s", text, l.Number, l.By, l.Seq, l.Session)
}

var secrets = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\b[a-z2-7]{26}\b`), "<id>"},
	{regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+(:\d+)?\b`), "<address>"},
	{regexp.MustCompile(`\b[A-Za-z0-9_-]{22}\b`), "<session>"},
}

func normalise(text string) string {
	for _, s := range secrets {
		text = s.pattern.ReplaceAllString(text, s.instead)
	}
	return text
}

// difference shows the first place where two texts part, with what comes before it.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	var out strings.Builder
	for _, line := range a[max(0, same-3):same] {
		out.WriteString("    " + line + "\n")
	}
	for _, line := range a[same:min(len(a), same+5)] {
		out.WriteString("  - " + line + "\n")
	}
	for _, line := range b[same:min(len(b), same+5)] {
		out.WriteString("  + " + line + "\n")
	}
	return out.String()
}
