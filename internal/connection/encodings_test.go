package connection

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// videoSection returns a media section with some more lines.
func videoSection(mid string, lines ...string) string {
	return "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:" + mid + "\r\na=rtpmap:96 VP8/90000\r\n" + strings.Join(lines, "")
}

// receiving returns the lines that say which encodings are received.
func receiving(ids ...string) string {
	var lines strings.Builder
	for _, id := range ids {
		lines.WriteString("a=rid:" + id + " recv\r\n")
	}
	return lines.String() + "a=simulcast:recv " + strings.Join(ids, ";") + "\r\n"
}

const sessionHead = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\n"

// TestTakeEncodings: of several encodings that the peer offers in a section, we say that we receive the last four.
func TestTakeEncodings(t *testing.T) {
	for _, test := range []struct {
		name, section, want string
		encodings           []string
		changed             bool
	}{
		{"one", "", "", nil, false},
		{"three", receiving("l", "m", "h"), receiving("l", "m", "h"), []string{"l", "m", "h"}, false},
		{"six", receiving("1", "2", "3", "4", "5", "6"), receiving("3", "4", "5", "6"), []string{"3", "4", "5", "6"}, true},
		{
			"paused, and with a choice", "a=rid:1 recv\r\na=rid:2 recv\r\na=rid:3 recv\r\na=simulcast:recv 1;~2,~3\r\n",
			receiving("1", "2", "3"),
			[]string{"1", "2", "3"},
			true,
		},
		{"what we send", "a=rid:x send\r\n" + receiving("y"), "a=rid:x send\r\n" + receiving("y"), []string{"y"}, false},
		{"sent alone", "a=rid:x send\r\na=simulcast:send x\r\n", "a=rid:x send\r\na=simulcast:send x\r\n", nil, false},
		{"none", "a=simulcast:recv ;\r\n", "a=simulcast:recv ;\r\n", nil, false},
	} {
		head := sessionHead + videoSection("0")
		s, err := parseDescription(head + videoSection("1", test.section))
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		changed := takeEncodings(s)
		got, err := marshalDescription(s)
		if want := head + videoSection("1", test.want); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", test.name, got, err, want)
		}
		if changed != test.changed {
			t.Errorf("%s: changed is %v", test.name, changed)
		}
		d, err := inspectDescription(s, len(got))
		if err != nil || !slices.Equal(d.encodings["1"], test.encodings) || d.encodings["0"] != nil {
			t.Errorf("%s: %v, %v, want %q", test.name, d.encodings, err, test.encodings)
		}
	}
}

// TestEncodingsAreBounded: in the sections beyond a bound, one encoding is received of each.
func TestEncodingsAreBounded(t *testing.T) {
	description := sessionHead
	for i := range mostSimulcast + 2 {
		description += videoSection(strconv.Itoa(i), receiving("l", "h"))
	}
	s, err := parseDescription(description)
	if err != nil {
		t.Fatal(err)
	}
	if !takeEncodings(s) {
		t.Error("nothing was changed")
	}
	d, err := inspectDescription(s, len(description))
	if err != nil {
		t.Fatal(err)
	}
	for i := range mostSimulcast + 2 {
		want := []string{"l", "h"}
		if i >= mostSimulcast {
			want = want[1:]
		}
		if got := d.encodings[strconv.Itoa(i)]; !slices.Equal(got, want) {
			t.Errorf("section %d: %q, want %q", i, got, want)
		}
	}
}
