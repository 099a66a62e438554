package data

import (
	"errors"
	"testing"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/signal"
)

// TestPaceOfAcknowledgements: a data channel that sends nothing gets at most two batches.
func TestPaceOfAcknowledgements(t *testing.T) {
	var p answerPace
	given, sent, steps := int64(1000), int64(0), 0
	for p.step(given, sent) {
		given += frameHead
		steps++
	}
	if steps != answerBatch {
		t.Fatalf("%d acknowledgements wait", steps)
	}
	if sent = 1000 + frameHead - 1; p.step(given, sent) {
		t.Fatal("another batch began before the first one was sent")
	}
	if sent++; !p.step(given, sent) {
		t.Fatal("no other batch began")
	}
}

// TestFullLaneIsDrained: what found no room is written when the channel has sent everything, and nobody is woken otherwise.
func TestFullLaneIsDrained(t *testing.T) {
	var s Stream
	channel := new(cable)
	lane := NewLane(channel, nil)
	if err := channel.Send(make([]byte, maxRoom)); err != nil {
		t.Fatal(err)
	}
	if s.Open(lane); channel.reports {
		t.Fatal("the channel reports what nobody waits for")
	}
	if err := s.TrySend("", nil); err != nil {
		t.Fatal(err)
	}
	if s.Write(lane); len(channel.frames) != 1 {
		t.Fatal("a message was written beyond the room")
	}
	if !channel.reports {
		t.Fatal("it is forgotten")
	}
	channel.take()
	if s.Write(lane); len(channel.frames) != 1 || channel.reports {
		t.Fatalf("%d frames are written into an empty channel", len(channel.frames))
	}
}

// TestStreamBoundsChannels: the peer's channels are bounded: those that are open, those
// that the application has not got yet, and those that are refused.
func TestStreamBoundsChannels(t *testing.T) {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	var s Stream
	lane := NewLane(nil, nil)
	opened := func(label string, want Verdict) {
		t.Helper()
		dc, failed := pc.CreateDataChannel(label, nil)
		if failed != nil {
			t.Fatal(failed)
		}
		if got := s.Opened(lane, lane.NewChannel(dc)); got != want {
			t.Fatalf("%d, want %d", got, want)
		}
	}
	ours, err := pc.CreateDataChannel("ours", nil)
	if err != nil {
		t.Fatal(err)
	}
	lane.Add(ours) // does not count
	opened(string(make([]byte, signal.MaxName+1)), Refused)
	for range maxChannels {
		opened("파일", Taken)
	}
	opened("one too many", Refused)
	lane.Channels()[1].lose()
	opened("the application has not got the lost one", Refused)
	s.Seen()
	opened("seen", Taken)
	s.Seen()
	opened("64 are open", Refused)
	for range maxChannels - 4 {
		opened("refused", Refused)
	}
	opened("too many are refused", Floods)
	lane.Lose()
	for range maxChannels - 1 {
		s.Seen()
	}
	if s.Seen(); s.unseen != 0 {
		t.Errorf("%d unseen", s.unseen)
	}
	if _, err = lane.Channels()[0].Receive(t.Context()); !errors.Is(err, fault.ChannelLost) {
		t.Errorf("a lost channel: %v", err)
	}
}
