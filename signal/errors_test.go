package signal

import "testing"

// An error of the other end is printed by programs: on one line, and nothing in
// it is an order to a terminal.
func TestErrorIsPrintable(t *testing.T) {
	m := Message{Type: TypeError, Code: "no\x1b[2J", Error: "초대가\r\n필요합니다\x1b[31m\u202e"}
	if got, want := m.Err().Error(), "초대가  필요합니다 [31m  (no [2J)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
