package data

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/signal"
)

// goldenTopics are messages with topics as every client reads and writes them.
type goldenTopics struct {
	Written []struct {
		goldenMessage
		Frames []string
	}
	Read []struct {
		Why      string
		Frames   []string
		Messages []goldenMessage
	}
	Refused []struct {
		Why    string
		Frames []string
	}
}

type goldenMessage struct{ Topic, Data string }

// takeAll has a new stream take frames in hexadecimal digits, until one is refused.
func takeAll(t *testing.T, frames []string) (messages []goldenMessage, err error) {
	t.Helper()
	var s Stream
	lane := NewLane(nil, nil)
	for _, text := range frames {
		frame, wrong := hex.DecodeString(text)
		if wrong != nil {
			t.Fatal(wrong)
		}
		message, _, err := s.Take(lane, webrtc.DataChannelMessage{Data: frame})
		if err != nil {
			return messages, err
		}
		if message.Payload != nil {
			messages = append(messages, goldenMessage{message.Topic, string(message.Payload)})
		}
	}
	return messages, nil
}

// TestGoldenTopics: the frames of PROTOCOL.md are read and written as every client does.
func TestGoldenTopics(t *testing.T) {
	var golden goldenTopics
	file, err := os.ReadFile("../../signal/testdata/topics.json")
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(file, &golden); err != nil {
		t.Fatal(err)
	}
	var e end
	e.connect()
	var want []string
	for _, g := range golden.Written {
		if err = e.TrySend(g.Topic, []byte(g.Data)); err != nil {
			t.Fatal(err)
		}
		want = append(want, g.Frames...)
	}
	e.Write(e.lane)
	var got []string
	for _, frame := range e.out.frames {
		if frame[0] == kindMessage || frame[0] == kindTopic {
			got = append(got, hex.EncodeToString(frame))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("written:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, g := range golden.Read {
		if messages, wrong := takeAll(t, g.Frames); wrong != nil || !slices.Equal(messages, g.Messages) {
			t.Errorf("%s: %q, %v, want %q", g.Why, messages, wrong, g.Messages)
		}
	}
	for _, g := range golden.Refused {
		if _, wrong := takeAll(t, g.Frames); !errors.Is(wrong, fault.Rules) {
			t.Errorf("%s: %v", g.Why, wrong)
		}
	}
	if len(golden.Written) < 4 || len(golden.Read) < 10 || len(golden.Refused) < 5 {
		t.Error("rows are missing")
	}
}

// TestTopicsThatSayNothingNew: before each message one topic counts as news, so that a peer has to send as many messages as
// topics.
func TestTopicsThatSayNothingNew(t *testing.T) {
	var s Stream
	lane := NewLane(nil, nil)
	for i, step := range []struct {
		frame webrtc.DataChannelMessage
		news  bool
	}{
		{peerFrame(kindTopic, 1, "가"), true},
		{peerFrame(kindTopic, 1, "나"), false},
		{peerFrame(kindTopic, 2, "가"), false},
		{peerFrame(kindTopic, 1, "\n"), false},
		{peerFrame(kindMessage, 1, "x"), true},
		{peerFrame(kindTopic, 1, "가"), true}, // as over the next connection
		{peerFrame(kindTopic, 1, "가"), false},
		{peerFrame(kindTopic, 2, "가"), false},
		{peerFrame(kindMessage, 1, "x"), false},
		{peerFrame(kindTopic, 2, "\n"), true},
		{peerFrame(kindTopic, 2, "가"), false},
		{peerFrame(kindMessage, 2, "x"), true},
	} {
		if _, news, err := s.Take(lane, step.frame); err != nil || news != step.news {
			t.Errorf("step %d: news %v, %v", i, news, err)
		}
	}
}

// TestTopicsCostNoCredit: a message with a topic may be as large as one without, and as many may wait. The topics of messages
// that were taken are forgotten.
func TestTopicsCostNoCredit(t *testing.T) {
	var s Stream
	topic := strings.Repeat("가", signal.MaxName/3)
	sent := 0
	for s.TrySend(topic, make([]byte, signal.MaxData)) == nil {
		sent++
	}
	if sent != signal.MaxUnacked/signal.MaxData {
		t.Errorf("%d large messages", sent)
	}
	for s.TrySend(topic, nil) == nil {
		sent++
	}
	if sent != MaxUnacked || len(s.out.topics) != MaxUnacked {
		t.Errorf("%d messages, %d topics are kept", sent, len(s.out.topics))
	}
	if _, _, err := s.Take(NewLane(nil, nil), peerFrame(kindTaken, MaxUnacked-1, "")); err != nil {
		t.Fatal(err)
	}
	if _, last := s.out.next(MaxUnacked - 1); last != topic || len(s.out.topics) != 1 {
		t.Errorf("%d topics are kept, the last is %q", len(s.out.topics), last)
	}
}
