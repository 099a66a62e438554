package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// link is one stream of a chain: headers, and packets of 20 ms that name it.
func link(serial uint32, name byte, packets int) (b []byte) {
	b = join(page(2, serial, []byte{19}, opusHead(1, 0)), page(0, serial, []byte{16}, opusTags))
	for i := range packets {
		flags := byte(0)
		if i == packets-1 {
			flags = 4
		}
		b = join(b, page(flags, serial, []byte{3}, []byte{0xf8, name, byte(i)}))
	}
	return b
}

// oggNames reads a file and returns the names in its packets.
func oggNames(t *testing.T, file []byte) (names string, end time.Duration, err error) {
	t.Helper()
	r, _, err := readOgg(input{bytes.NewReader(file), nil})
	if err != nil {
		return "", 0, err
	}
	all, err := allFrames(t, r)
	for i, f := range all {
		if f.at != time.Duration(i)*20*time.Millisecond {
			t.Errorf("packet %d at %v", i, f.at)
		}
		names += string(f.data[1])
	}
	return names, r.end(), err
}

// Several streams one behind the other are all played, whatever lies between them.
func TestOggChain(t *testing.T) {
	a, b := link(1, 'a', 3), link(2, 'b', 4)
	video := page(2, 9, []byte{8}, []byte("\x80theora\x00"))
	body := page(0, 9, []byte{1}, []byte{0})
	headA, restA := a[:27+1+19], a[27+1+19:]
	headB, restB := b[:27+1+19], b[27+1+19:]
	tags := bytes.Repeat([]byte{255}, 255)
	for name, c := range map[string]struct {
		file []byte
		want string
		err  error
	}{
		"two":                      {join(a, b), "aaabbbb", io.EOF},
		"three":                    {join(a, b, link(3, 'c', 2)), "aaabbbbcc", io.EOF},
		"of one number":            {join(a, link(1, 'c', 2)), "aaacc", io.EOF},
		"the first is cut off":     {join(a[:len(a)-31], b), "aabbbb", io.EOF},
		"cut off within a packet":  {join(a[:len(a)-31], page(0, 1, []byte{255}, make([]byte, 255)), b), "aabbbb", io.EOF},
		"with pictures":            {join(video, headA, body, restA, body, video, headB, body, restB), "aaabbbb", io.EOF},
		"pictures second":          {join(headA, video, body, restA, headB, video, restB), "aaabbbb", io.EOF},
		"two side by side":         {join(headA, headB, restA, restB), "aaa", io.EOF},
		"pictures alone behind it": {join(a, video, body, body), "aaa", io.EOF},
		"long tags":                {join(a, headB, page(0, 2, tags, join(opusTags, make([]byte, 255*255-16))), page(1, 2, []byte{1}, []byte{0}), restB[27+1+16:]), "aaabbbb", io.EOF},
		"another kind of sound":    {join(a, page(2, 2, []byte{19}, opusHead(6, 1))), "aaa", ErrUnsupported},
		"no tags":                  {join(a, headB, restB[27+1+16:]), "aaa", ErrDamaged},
		"a header alone":           {join(a, headB), "aaa", ErrTruncated},
		"a header before another":  {join(a, headB, body, link(3, 'c', 2)), "aaa", ErrDamaged},
		"junk behind it":           {join(a, []byte("TA")), "aaa", io.EOF},
		"junk between":             {join(a[:len(a)-31], []byte("junk"), b), "aa", ErrDamaged},
	} {
		names, end, err := oggNames(t, c.file)
		if names != c.want || !errors.Is(err, c.err) || end != time.Duration(len(names))*20*time.Millisecond {
			t.Errorf("%s: %s in %v, then %v; want %s, then %v", name, names, end, err, c.want, c.err)
		}
	}
	r, _, err := readOgg(input{bytes.NewReader(join(a, b)), nil})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.seek(105 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if f, err := r.next(); err != nil || f.at != 100*time.Millisecond || string(f.data[1:]) != "b\x02" {
		t.Errorf("a jump into the second goes to %v, %q, %v", f.at, f.data, err)
	}
}

// pageAt is a page whose last packet ends after so many packets of 20 ms; -1: none ends.
func pageAt(end int, flags byte, lacing, payload []byte) []byte {
	b := page(flags, 1, lacing, payload)
	at := int64(end) * 960
	if end < 0 {
		at = -1
	}
	binary.LittleEndian.PutUint64(b[6:], uint64(at))
	binary.LittleEndian.PutUint32(b[22:], 0)
	binary.LittleEndian.PutUint32(b[22:], oggSum(b))
	return b
}

// A recorder that gets nothing for a while writes no packets, and counts on: the pause
// is kept, whatever is wrong with the counting otherwise.
func TestOggPauses(t *testing.T) {
	one, two := []byte{2}, []byte{2, 2}
	packet := []byte{0xf8, 1}
	pair, long := join(packet, packet), join(packet, make([]byte, 253))
	for name, c := range map[string]struct {
		pages [][]byte
		want  string // when packets come, in packets
		err   error
	}{
		"none":                  {[][]byte{pageAt(2, 0, two, pair), pageAt(3, 0, one, packet), pageAt(5, 4, two, pair)}, "0 1 2 3 4", io.EOF},
		"an hour":               {[][]byte{pageAt(2, 0, two, pair), pageAt(180_003, 0, one, packet), pageAt(180_004, 4, one, packet)}, "0 1 180002 180003", io.EOF},
		"twenty days":           {[][]byte{pageAt(1, 0, one, packet), pageAt(86_400_000, 0, one, packet)}, "0 86399999", io.EOF},
		"on the last page":      {[][]byte{pageAt(1, 0, one, packet), pageAt(103, 4, two, pair)}, "0 101 102", io.EOF},
		"a packet is lost":      {[][]byte{pageAt(1, 0, one, packet), pageAt(3, 0, one, packet)}, "0 2", io.EOF},
		"counted from anywhere": {[][]byte{pageAt(1000, 0, one, packet), pageAt(1001, 0, one, packet), pageAt(1012, 0, one, packet)}, "0 1 12", io.EOF},
		"counted by beginnings": {[][]byte{pageAt(0, 0, one, packet), pageAt(1, 0, one, packet), pageAt(12, 0, one, packet)}, "0 1 12", io.EOF},
		"not counted":           {[][]byte{pageAt(0, 0, two, pair), pageAt(0, 0, two, pair), pageAt(0, 0, one, packet)}, "0 1 2 3 4", io.EOF},
		"counted back":          {[][]byte{pageAt(50, 0, one, packet), pageAt(20, 0, one, packet), pageAt(52, 0, one, packet)}, "0 1 2", io.EOF},
		"the end is cut":        {[][]byte{pageAt(2, 0, two, pair), pageAt(3, 4, two, pair)}, "0 1 2 3", io.EOF},
		"one page, cut":         {[][]byte{pageAt(1, 4, two, pair)}, "0 1", io.EOF},
		"over a page's end":     {[][]byte{pageAt(1, 0, one, packet), pageAt(-1, 0, []byte{255}, long), pageAt(102, 1, []byte{1}, []byte{3})}, "0 101", io.EOF},
		"a number of nothing":   {[][]byte{pageAt(math.MinInt64/960, 0, one, packet), pageAt(2, 0, one, packet), pageAt(13, 0, one, packet)}, "0 1 12", io.EOF},
		"absurd":                {[][]byte{pageAt(1, 0, one, packet), pageAt(200_000_000, 0, one, packet)}, "0", ErrDamaged},
	} {
		file := join(append([][]byte{page(2, 1, []byte{19}, opusHead(1, 0)), page(0, 1, []byte{16}, opusTags)}, c.pages...)...)
		r, _, err := readOgg(input{bytes.NewReader(file), nil})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for range 2 {
			all, err := allFrames(t, r)
			var at []string
			for _, f := range all {
				at = append(at, fmt.Sprint(int(f.at/(20*time.Millisecond))))
			}
			if got := strings.Join(at, " "); got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%s: packets at %s, then %v; want %s, then %v", name, got, err, c.want, c.err)
			}
		}
	}
}

// What the header says not to play is not sent, as far as it is packets.
func TestOggPreSkip(t *testing.T) {
	for samples, want := range map[int]string{312: "0123456", 960: "123456", 2000: "23456", 65535: ""} {
		head := opusHead(1, 0)
		head[10], head[11] = byte(samples), byte(samples>>8)
		var data []byte
		for i := range 7 {
			data = append(data, 0xf8, '0'+byte(i))
		}
		file := join(page(2, 1, []byte{19}, head), page(0, 1, []byte{16}, opusTags), page(4, 1, []byte(strings.Repeat("\x02", 7)), data))
		names, _, err := oggNames(t, file)
		wanted := io.EOF
		if want == "" {
			wanted = ErrEmpty
		}
		if names != want || !errors.Is(err, wanted) {
			t.Errorf("of %d samples: %q, %v; want %q", samples, names, err, want)
		}
	}
}

// A packet that is none costs its own sound.
func TestOggPacketThatIsNone(t *testing.T) {
	file := join(link(1, 'a', 3)[:47+44+31*2], page(0, 1, []byte{2}, []byte{0xfb, 0}), page(4, 1, []byte{3}, []byte{0xf8, 'z', 0}))
	if names, _, err := oggNames(t, file); names != "aaz" || fmt.Sprint(err) != "EOF" {
		t.Errorf("%s, then %v", names, err)
	}
}
