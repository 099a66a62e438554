package state

import "testing"

// FuzzFrame: whatever bytes are taken for a frame are those of that frame, and a machine that gets it keeps to its bounds.
func FuzzFrame(f *testing.F) {
	for _, g := range makeRecords() {
		f.Add([]byte(g.Frame))
	}
	for _, g := range makeCourse(1).Steps {
		if len(g.Frame) > 0 {
			f.Add([]byte(g.Frame))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := Decode(b)
		if err != nil {
			return
		}
		if again := frame.Encode(); string(again) != string(b) {
			t.Fatalf("%x is %x", b, again)
		}
		m := newMachine()
		id := m.join(0)
		m.Opened(id)
		for _, r := range frame.Records {
			m.Joined(start, r.Writer, r.Session)
		}
		m.Receive(start, id, &frame)
		m.Tick(start)
		for _, w := range m.writers {
			if w.bytes > MaxBytes || w.live > MaxKeys || len(w.records)-w.live > MaxTombstones {
				t.Fatalf("%d bytes, %d keys of %d records", w.bytes, w.live, len(w.records))
			}
		}
	})
}
