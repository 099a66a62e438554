package state

import (
	"slices"
	"testing"
	"time"
)

// sent returns the types of the frames that a machine sends now.
func (m *Machine) sent() (types []FrameType) {
	for _, o := range m.Flush().Frames {
		types = append(types, o.Frame.Type)
	}
	return types
}

// TestRecordsOfOneVersion: of two records that a writer has signed with one version, every member takes the same.
func TestRecordsOfOneVersion(t *testing.T) {
	a, b := newMachine(), newMachine()
	one, two := recordOf(0, 5, "key", 1, true, false), recordOf(0, 5, "key", 2, true, false)
	for _, r := range []*Record{one, two} {
		a.take(start, r)
	}
	for _, r := range []*Record{two, one} {
		b.take(start, r)
	}
	if x, y := a.Get("key"), b.Get("key"); x != y {
		t.Errorf("%d and %d bytes", len(x.Value), len(y.Value))
	}
}

// TestPeersAreTold: a peer is told what there is when it is connected, and again what changes: at once when it begins to take
// part, then each second, and all of it once a frame was lost.
func TestPeersAreTold(t *testing.T) {
	m := newMachine()
	id := m.join(0)
	m.take(start, recordOf(1, 1, "kept", 1, true, false))
	m.Opened(id)
	if got := m.sent(); !slices.Equal(got, []FrameType{Have}) {
		t.Fatalf("connected: %v", got)
	}
	m.take(start, recordOf(1, 2, "written", 1, true, false))
	m.Tick(start.Add(pace))
	if got := m.sent(); got != nil {
		t.Fatalf("to a peer that takes no part: %v", got)
	}
	m.Receive(start, id, &Frame{Type: Have, Clock: 1})
	if got := m.sent(); !slices.Equal(got, []FrameType{Have}) {
		t.Fatalf("it takes part: %v", got)
	}
	m.Tick(start.Add(2 * pace))
	if got := m.sent(); got != nil {
		t.Fatalf("nothing has changed: %v", got)
	}
	m.Lost(id)
	if due := m.Next(start); due != start.Add(pace) {
		t.Errorf("after a loss Tick is due at %v", due)
	}
	m.Tick(start.Add(3 * pace))
	if got := m.sent(); !slices.Equal(got, []FrameType{Have}) {
		t.Fatalf("after a loss: %v", got)
	}
}

// TestMembersAreAskedAgain: what was refused because its writer was not in the room is asked for again when it is, though
// there is no connection to it.
func TestMembersAreAskedAgain(t *testing.T) {
	m := newMachine()
	id := m.join(0)
	m.Opened(id)
	r := recordOf(1, 1, "key", 1, false, false)
	answer := &Frame{Type: Answer, Writer: r.Writer, Last: true, Records: []*Record{r}}
	m.Receive(start, id, &Frame{Type: Have, Clock: 1, Haves: []Holding{{r.Writer, r.digest()}}})
	m.Receive(start, id, answer)
	m.sent()
	m.Tick(start.Add(time.Minute))
	if got := m.sent(); m.Get("key") != nil || got != nil {
		t.Fatalf("a record of a stranger: %v", got)
	}
	m.join(1)
	m.Tick(start.Add(time.Minute + pace))
	if got := m.sent(); !slices.Equal(got, []FrameType{Want}) {
		t.Fatalf("its writer is here: %v", got)
	}
	m.Receive(start.Add(time.Minute+pace), id, answer)
	if m.Get("key") == nil {
		t.Error("it does not show")
	}
}

// TestSilentPeersAreGivenUp: a peer that does not answer is not waited for; another one is asked.
func TestSilentPeersAreGivenUp(t *testing.T) {
	m := newMachine()
	r := recordOf(5, 1, "key", 1, true, false)
	for n := range 2 {
		id := m.join(n)
		m.Opened(id)
		m.Receive(start, id, &Frame{Type: Have, Clock: 1, Haves: []Holding{{r.Writer, r.digest()}}})
	}
	asked := func() (ids []string) {
		for _, o := range m.Flush().Frames {
			if o.Frame.Type == Want {
				ids = append(ids, o.To)
			}
		}
		return ids
	}
	first, _ := stranger(0)
	second, _ := stranger(1)
	if got := asked(); !slices.Equal(got, []string{first}) {
		t.Fatalf("%v are asked", got)
	}
	m.Tick(start.Add(patience - 1))
	if got := asked(); got != nil {
		t.Fatalf("%v are asked early", got)
	}
	m.Tick(start.Add(patience))
	if got := asked(); !slices.Equal(got, []string{second}) {
		t.Fatalf("then %v are asked", got)
	}
}

// TestOldPeersGetNothing: a member that does not know the frames gets the first one and no other.
func TestOldPeersGetNothing(t *testing.T) {
	m := newMachine()
	m.Opened(m.join(0))
	m.sent()
	for i := range 3 {
		r, err := m.Prepare(nil, "key", []byte{byte(i)}, false, false)
		if err != nil {
			t.Fatal(err)
		}
		r.Signature = sign(r, testRoom)
		if err := m.Write(start, r); err != nil {
			t.Fatal(err)
		}
		m.Tick(start.Add(time.Duration(i) * pace))
	}
	if got := m.sent(); got != nil {
		t.Errorf("%v", got)
	}
}
