package connection

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"unsafe"
	"weak"

	"noom/internal/fault"
	"noom/internal/payloads"
)

// TestMissingMids: a rejected section without a mid has that of its place.
func TestMissingMids(t *testing.T) {
	const head = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
	const rejected, taken = "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n", "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=ice-ufrag:x\r\n"
	for text, want := range map[string]string{
		head + rejected + taken: "v 1",
		head + taken + rejected: "v 0",
	} {
		offered := []string{"소리", "v"}
		if want == "v 0" {
			offered = []string{"v", "소리"}
		}
		s, err := parseDescription(text)
		if err != nil {
			t.Fatal(err)
		}
		if !addMids(s, offered) {
			t.Error("nothing changed")
		}
		d, err := inspectDescription(s, len(text))
		if err != nil {
			t.Fatal(err)
		}
		if mid, i := d.first(); !slices.Equal(d.sections, offered) || !d.rejected["소리"] || fmt.Sprint(mid, " ", i) != want {
			t.Errorf("sections %v of %v, candidates for %s %d, want %s", d.sections, offered, mid, i, want)
		}
		if addMids(s, []string{"a", "b"}) {
			t.Error("complete, it was changed")
		}
	}
	if _, err := parseDescription("hello"); !errors.Is(err, fault.Description) {
		t.Errorf("of no SDP: %v", err)
	}
}

func TestStereoLine(t *testing.T) {
	without := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n"
	s, err := parseDescription(without)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} { // it is said once
		if setStereo(s, map[string]bool{"0": true}, nil) != want {
			t.Errorf("changed: %v", !want)
		}
		if text, err := marshalDescription(s); err != nil || text != without+"a=fmtp:111 sprop-stereo=1;stereo=1\r\n" {
			t.Errorf("%q, %v", text, err)
		}
	}
	for _, test := range []struct {
		line            string
		sends, receives bool
		want            string
	}{
		{"minptime=10;useinbandfec=1", false, false, "minptime=10;useinbandfec=1"},
		{"minptime=10; stereo=1; sprop-stereo=1", false, false, "minptime=10"},
		{"STEREO=1", false, true, "stereo=1"},
		{"sprop-stereo=0;x=1", true, false, "x=1;sprop-stereo=1;stereo=1"},
		{"", false, false, ""},
	} {
		if got := stereoLine(test.line, test.sends, test.receives); got != test.want {
			t.Errorf("%q: %q, want %q", test.line, got, test.want)
		}
	}
}

// inspectText is how a description is looked at before pion is given it.
func inspectText(text string) (description, error) {
	s, err := parseDescription(text)
	if err != nil {
		return description{}, err
	}
	return inspectDescription(s, len(text))
}

// TestNothingIsKeptOfATextThatWasParsed: what a connection remembers of a description does not keep the text, nor what was
// parsed.
func TestNothingIsKeptOfATextThatWasParsed(t *testing.T) {
	const text = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\n" +
		"a=ice-ufrag:x\r\na=candidate:1 1 udp 2130706431 192.0.2.1 9 typ host\r\na=simulcast:recv q;h\r\na=ssrc:1 cname:x\r\n"
	type kept struct {
		description
		numbers *payloads.Numbers
	}
	inspected := func(times int) (list []kept, parsed []weak.Pointer[byte]) {
		for range times {
			s, err := parseDescription(text)
			if err != nil {
				t.Fatal(err)
			}
			d, err := inspectDescription(s, len(text))
			if err != nil {
				t.Fatal(err)
			}
			numbers := payloads.New()
			if _, err := numbers.Remote(s); err != nil {
				t.Fatal(err)
			}
			numbers.Local(s)
			list = append(list, kept{d, numbers})
			parsed = append(parsed, weak.Make(unsafe.StringData(s.MediaDescriptions[0].Attributes[0].Value)))
		}
		return list, parsed
	}
	list, parsed := inspected(3)
	for range 3 {
		runtime.GC() // pools keep things for two
	}
	for i, p := range parsed {
		if p.Value() != nil {
			t.Errorf("%+v keeps the memory of its text", list[i].description)
		}
	}
	runtime.KeepAlive(list)
}
