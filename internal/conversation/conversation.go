// Package conversation tests a client with the golden conversations of signal/testdata. It
// plays the hub and the other member, with a real PeerConnection, and compares what the
// client sends with the file.
//
// signal/testdata/conversations/README.md explains these files.
package conversation

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Conversation is one file.
type Conversation struct {
	Name  string
	Steps []Step
}

// Kind says what a [Step] is.
type Kind int

// The kinds of steps.
const (
	Does   Kind = iota // the client's application does something
	Sees               // the client must report something to the application
	Says               // the hub or the other member sends Frame to the client
	Expect             // the client must send Frame
	Cuts               // the hub breaks the connection
)

// Step is a line, with the body on the next line if there is one.
type Step struct {
	Line  int
	Kind  Kind
	Text  string // what is done or seen
	Pair  bool   // the frame is from or to the other member, not the hub
	Band  bool   // the frame goes in-band
	Hub   bool   // the frame may go only by hub
	Lost  bool   // the frame never arrives
	Again bool   // the frame was sent before
	Card  bool   // the frame goes with the hub's next welcome
	Frame map[string]any
	Body  map[string]any // nil: none
}

const (
	client = "bob"
	other  = "지우"
	byHub  = "→"
	inBand = "⇒"
)

// Load reads all conversations in a folder, in order.
func Load(folder string) ([]*Conversation, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []*Conversation
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		c, err := Parse(strings.TrimSuffix(filepath.Base(file), ".txt"), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no conversations in %s", folder)
	}
	return all, nil
}

// Parse reads a conversation.
func Parse(name, text string) (*Conversation, error) {
	c := &Conversation{Name: name}
	for i, line := range strings.Split(text, "\n") {
		err := c.add(i+1, line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	return c, nil
}

func (c *Conversation) add(number int, line string) error {
	if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	if strings.HasPrefix(line, " ") { // a body
		if len(c.Steps) == 0 || c.Steps[len(c.Steps)-1].Frame == nil {
			return fmt.Errorf("a body that follows no frame")
		}
		return json.Unmarshal([]byte(line), &c.Steps[len(c.Steps)-1].Body)
	}
	words := strings.Fields(line)
	s := Step{Line: number}
	switch {
	case strings.HasPrefix(line, client+" does "):
		s.Kind, s.Text = Does, strings.Join(words[2:], " ")
	case strings.HasPrefix(line, client+" sees "):
		s.Kind, s.Text = Sees, strings.Join(words[2:], " ")
	case line == "hub cuts "+client:
		s.Kind = Cuts
	default:
		head, frame, found := strings.Cut(line, "{")
		if !found {
			return fmt.Errorf("no frame in %q", line)
		}
		if err := json.Unmarshal([]byte("{"+frame), &s.Frame); err != nil {
			return err
		}
		if err := s.head(strings.Fields(head)); err != nil {
			return err
		}
	}
	c.Steps = append(c.Steps, s)
	return nil
}

// head reads the sender and the receiver of a frame, and how it goes.
func (s *Step) head(words []string) error {
	if len(words) < 3 || words[1] != byHub && words[1] != inBand {
		return fmt.Errorf("want FROM %s TO or FROM %s TO, have %q", byHub, inBand, words)
	}
	s.Band = words[1] == inBand
	from, to := words[0], words[2]
	switch {
	case from == client && (to == other || to == "hub"):
		s.Kind, s.Pair = Expect, to == other
	case to == client && (from == other || from == "hub"):
		s.Kind, s.Pair = Says, from == other
	default:
		return fmt.Errorf("no frames go from %s to %s", from, to)
	}
	for _, w := range words[3:] {
		switch w {
		case "(by-hub)":
			s.Hub = true
		case "(lost)":
			s.Lost = true
		case "(again)":
			s.Again = true
		case "(card)":
			s.Card = true
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	return nil
}
