package transcript_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"noom"
	"noom/noomtest/transcript"
	"noom/signal"
)

var (
	jiwoo = noom.Member{ID: "jiwujiwujiwujiwujiwujiwuji", Name: "지우", Session: "Qx2AAAAAAAAAAAAAAAAAAA"}
	bob   = noom.Member{ID: "bobbobbobbobbobbobbobbobbo", Name: "bob", Session: "Yb0AAAAAAAAAAAAAAAAAAA"}
)

// conversation is what two rooms report, a little of everything.
func conversation(t *testing.T, r *transcript.Transcript) {
	t.Helper()
	start := time.Now()
	tell := func(ms int, self, peer noom.Member, kind noom.TraceKind, m *signal.Message, note string) {
		r.Record(noom.Trace{
			At: start.Add(time.Duration(ms) * time.Millisecond), Room: "데모",
			Self: self, Peer: peer, Kind: kind, Message: m, Note: note,
		})
	}
	body, err := signal.EncodeBody(&signal.Description{ID: 1, SDP: "m=secret", Table: signal.Table{
		Version: 1, Tracks: map[string]signal.TrackRow{
			"1": {ID: "a", Name: "camera", Kind: "video"}, "2": {ID: "b", Name: "마이크", Kind: "audio", Muted: true},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	tell(0, jiwoo, noom.Member{}, noom.TraceSent, &signal.Message{Type: signal.TypeJoin, Room: "데모"}, "")
	tell(20, jiwoo, noom.Member{}, noom.TraceReceived, &signal.Message{Type: signal.TypeJoined}, "")
	tell(30, jiwoo, noom.Member{}, noom.TraceReceived, &signal.Message{Type: signal.TypeWelcome, Member: &bob}, "")
	offer := &signal.Message{
		Type: signal.TypeOffer, Sessions: [2]string{jiwoo.Session, bob.Session},
		Epoch: signal.Epoch{Number: 1, By: jiwoo.ID}, Seq: 1, Body: body,
	}
	tell(40, jiwoo, bob, noom.TraceSent, offer, "")
	tell(60, bob, jiwoo, noom.TraceReceived, offer, "")
	again := *offer
	again.Seq = 2
	tell(70, jiwoo, bob, noom.TraceSent, &again, "")
	tell(80, bob, jiwoo, noom.TraceNote, nil, "epoch given up; error=50%% # of them\nall")
	r.Record(noom.Trace{
		At: start.Add(90 * time.Millisecond), Self: bob, Peer: jiwoo, Kind: noom.TraceState,
		State: noom.PeerFailed, Note: errors.New("no path").Error(),
	})
	r.Record(noom.Trace{At: start.Add(95 * time.Millisecond), Self: jiwoo, Peer: bob, Kind: noom.TraceSent, InBand: true, Message: &signal.Message{
		Type: signal.TypeAck, Epoch: offer.Epoch, Ack: 3,
	}})
	r.Record(noom.Trace{At: start.Add(100 * time.Millisecond), Self: bob, Kind: noom.TraceOver})
}

func TestText(t *testing.T) {
	r := transcript.New(0)
	conversation(t, r)
	want := `
0.000  지우 → hub   join "데모"
0.020  지우 ← hub   joined with nobody
0.030  지우 ← hub   welcome bob
0.040  지우 → bob   offer 1 (camera, 마이크 muted) [epoch 1 지우, seq 1, ack 0]
0.060  bob  ← 지우  offer 1 (camera, 마이크 muted) [epoch 1 지우, seq 1, ack 0]
0.070  지우 → bob   offer 1 (camera, 마이크 muted) [epoch 1 지우, seq 2, ack 0]
0.080  bob  · 지우  epoch given up; error=50%% # of them all
0.090  bob  · 지우  failed: no path
0.095  지우 ⇒ bob   ack                      [epoch 1 지우, seq 0, ack 3]
0.100  bob  · hub   the room is over`
	got := ""
	for line := range strings.Lines(r.String()) {
		got += "\n" + strings.TrimSpace(line)
	}
	if got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
}

func TestMermaid(t *testing.T) {
	r := transcript.New(0)
	conversation(t, r)
	want := `sequenceDiagram
    participant p0 as 지우
    participant p1 as hub
    participant p2 as bob
    p0->>p1: join "데모", 0.000
    p1->>p0: joined with nobody, 0.020
    p1->>p0: welcome bob, 0.030
    p0->>p2: offer 1 (camera, 마이크 muted), 0.040 to 0.060
    p0-xp2: offer 1 (camera, 마이크 muted), 0.070
    Note over p2: 0.080 지우 epoch given up#59; error=50#37;#37; #35; of them all
    Note over p2: 0.090 지우 failed: no path
    Note over p2: 0.100 the room is over
`
	if got := r.Mermaid(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestJSON: what was written and read again is the same, and has no secrets.
func TestJSON(t *testing.T) {
	r := transcript.New(0)
	conversation(t, r)
	var file bytes.Buffer
	if err := r.WriteJSON(&file); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(file.String(), "\n"); n != 10 {
		t.Errorf("%d lines for 10 entries", n)
	}
	for _, secret := range []string{"v=0", jiwoo.ID, jiwoo.Session} {
		if strings.Contains(file.String(), secret) {
			t.Errorf("%q is in the transcript", secret)
		}
	}
	again, err := transcript.Read(&file)
	if err != nil || again.String() != r.String() {
		t.Errorf("read again: %v\n%s", err, again)
	}
	if _, err = transcript.Read(strings.NewReader("{\"at\":1}\n{\"at\":")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("half a line: %v", err)
	}
}

func TestLimit(t *testing.T) {
	r := transcript.New(20)
	for i := range 100 {
		r.Note("note %d", i)
	}
	lines := r.Lines()
	if n := len(lines); n > 20 || n < 15 || lines[n-1].Text != "note 99" {
		t.Errorf("keeps %d lines, the last is %+v", n, lines[n-1])
	}
	if !strings.Contains(r.String(), "earlier lines are not kept") {
		t.Error("does not say that lines are missing")
	}
}

// TestSameName: two members of one name can be distinguished.
func TestSameName(t *testing.T) {
	r := transcript.New(0)
	other := bob
	other.ID = "zzzzzobbobbobbobbobbobbobb"
	for _, m := range []noom.Member{bob, other, bob, {ID: "hhhhhobbobbobbobbobbobbobb", Name: "hub"}} {
		r.Record(noom.Trace{At: time.Now(), Self: m, Kind: noom.TraceNote, Note: "x"})
	}
	var names []string
	for _, l := range r.Lines() {
		names = append(names, l.Self)
	}
	if got := strings.Join(names, ","); got != "bob,bob zzzz,bob,hub hhhh" {
		t.Errorf("they are called %s", got)
	}
}
