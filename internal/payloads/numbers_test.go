package payloads

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"noom/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// describe returns a description with these sections: the kind, then the formats as in "96 VP8/90000", parameters behind
// a semicolon. Their mids count from 0.
func describe(t *testing.T, sections ...[]string) *sdp.SessionDescription {
	t.Helper()
	text := "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
	for i, formats := range sections {
		if formats[0] == "application" {
			text += "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
			continue
		}
		var numbers []string
		var lines strings.Builder
		for _, f := range formats[1:] {
			number, rest, _ := strings.Cut(f, " ")
			encoding, parameters, _ := strings.Cut(rest, ";")
			numbers = append(numbers, number)
			if encoding != "" {
				lines.WriteString("a=rtpmap:" + number + " " + encoding + "\r\n")
			}
			if parameters != "" {
				lines.WriteString("a=fmtp:" + number + " " + parameters + "\r\n")
			}
		}
		text += fmt.Sprintf("m=%s 9 UDP/TLS/RTP/SAVPF %s\r\nc=IN IP4 0.0.0.0\r\na=mid:%d\r\na=ssrc:%d cname:x\r\n%s",
			formats[0], strings.Join(numbers, " "), i, 1000+i, lines.String())
	}
	return parse(t, text)
}

func parse(t *testing.T, text string) *sdp.SessionDescription {
	t.Helper()
	s := new(sdp.SessionDescription)
	if err := s.UnmarshalString(text); err != nil {
		t.Fatal(err)
	}
	return s
}

func recorded(t *testing.T, name string) *sdp.SessionDescription {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".sdp")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// formats returns what describe was given.
func formats(s *sdp.SessionDescription) (sections [][]string) {
	for _, m := range s.MediaDescriptions {
		if !isMedia(m) {
			continue
		}
		of := []string{m.MediaName.Media}
		for _, number := range m.MediaName.Formats {
			line := number
			for _, a := range m.Attributes {
				if rest, ok := strings.CutPrefix(a.Value, number+" "); ok && a.Key == "rtpmap" {
					line += " " + rest
				}
			}
			for _, a := range m.Attributes {
				if rest, ok := strings.CutPrefix(a.Value, number+" "); ok && a.Key == "fmtp" {
					line += ";" + rest
				}
			}
			of = append(of, line)
		}
		sections = append(sections, of)
	}
	return sections
}

func expect(t *testing.T, s *sdp.SessionDescription, want ...[]string) {
	t.Helper()
	if got := formats(s); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got\n%v, want\n%v", got, want)
	}
}

func remote(t *testing.T, n *Numbers, s *sdp.SessionDescription) (changed bool) {
	t.Helper()
	changed, err := n.Remote(s)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// ourOffer is what pion offered when noom's video had the numbers that collide with Firefox's.
var ourOffer = [][]string{
	{"audio", "111 opus/48000/2;minptime=10", "9 G722/8000"},
	{"video", "96 VP8/90000", "97 rtx/90000;apt=96", "98 VP9/90000;profile-id=0", "99 rtx/90000;apt=98", "45 AV1/90000", "46 rtx/90000;apt=45"},
}

// TestFirefoxReusesNumbers: in a section of its own, 99 is AV1, where ours has RTX. pion sees its own numbers in all
// sections, and Firefox is answered with Firefox's.
func TestFirefoxReusesNumbers(t *testing.T) {
	n := New()
	if n.Local(describe(t, ourOffer...)) {
		t.Error("an offer that nothing stands in the way of was changed")
	}
	if remote(t, n, recorded(t, "go-first-answer")) || n.table() != nil {
		t.Error("an answer with our numbers was changed")
	}
	offer := recorded(t, "go-first-offer")
	before := formats(offer)
	if !remote(t, n, offer) {
		t.Fatal("pion is given 99 in two meanings")
	}
	after := formats(offer)
	if !slices.EqualFunc(after[:2], before[:2], slices.Equal) {
		t.Errorf("the sections that we offered became %v", after[:2])
	}
	expect(t, offer, append(slices.Clone(before[:2]), []string{
		"audio", "111 opus/48000/2;maxplaybackrate=48000;useinbandfec=1", "9 G722/8000/1", "0 PCMU/8000", "8 PCMA/8000", "101 telephone-event/8000/1;0-15",
	}, []string{
		"video", "96 VP8/90000;max-fs=12288;max-fr=60", "97 rtx/90000;apt=96", "98 VP9/90000;max-fs=12288;max-fr=60", "99 rtx/90000;apt=98",
		"45 AV1/90000", "46 rtx/90000;apt=45", "123 ulpfec/90000", "122 red/90000", "119 rtx/90000;apt=122",
	})...)

	answer := describe(t, ourOffer[0], ourOffer[1], []string{"application"}, ourOffer[0], ourOffer[1])
	if !n.Local(answer) {
		t.Error("the answer has pion's numbers in Firefox's section")
	}
	expect(t, answer, ourOffer[0], ourOffer[1],
		[]string{"audio", "109 opus/48000/2;minptime=10", "9 G722/8000"},
		[]string{"video", "120 VP8/90000", "124 rtx/90000;apt=120", "121 VP9/90000;profile-id=0", "125 rtx/90000;apt=121", "99 AV1/90000", "100 rtx/90000;apt=99"})

	for source, want := range map[uint32][2]uint8{ // number of the wire, ours
		3384168090: {120, 96}, 288703423: {124, 97}, 1773655792: {109, 111}, 385540971: {99, 99}, 77: {120, 96}, 78: {99, 99},
	} {
		p := new(Packets)
		p.Follow(n)
		packet := []byte{0x80, 0x80 | want[0]}
		if p.arrived(source, packet); packet[1] != 0x80|want[1] {
			t.Errorf("of %d, %d becomes %d, want %d", source, want[0], packet[1]&0x7f, want[1])
		}
	}
}

// TestNumbersAreLearned: where the peer describes first, pion takes its numbers, and so do the sections that we add.
func TestNumbersAreLearned(t *testing.T) {
	n := New()
	offer := recorded(t, "firefox-first-offer")
	before := formats(offer)
	if remote(t, n, offer) || n.table() != nil {
		t.Errorf("changed to %v", formats(offer))
	}
	answer := describe(t, before...)
	if n.Local(answer); !slices.EqualFunc(formats(answer), before, slices.Equal) {
		t.Errorf("answered with %v", formats(answer))
	}
	if n.Local(describe(t, append(slices.Clone(before), before[1])...)) {
		t.Error("a section of ours has other numbers")
	}
}

// TestAnswerWithOtherNumbers: an answer may (RFC 3264 section 6.1), and its numbers are those to send with.
func TestAnswerWithOtherNumbers(t *testing.T) {
	n := New()
	n.Local(describe(t, ourOffer...))
	answer := describe(t, []string{"audio", "96 opus/48000/2"}, []string{"video", "111 VP8/90000", "112 rtx/90000;apt=111"})
	remote(t, n, answer)
	expect(t, answer, []string{"audio", "111 opus/48000/2"}, []string{"video", "96 VP8/90000", "97 rtx/90000;apt=96"})
	table := n.table()
	if got := table.out[1000][111]; got != 96 {
		t.Errorf("opus is sent as %d", got)
	}
	if got := table.out[1001]; got[96] != 111 || got[97] != 112 {
		t.Errorf("VP8 is sent as %d and repeated as %d", got[96], got[97])
	}
	again := describe(t, []string{"audio", "111 opus/48000/2"}, []string{"video", "96 VP8/90000", "97 rtx/90000;apt=96", "45 AV1/90000"})
	n.Local(again)
	expect(t, again, []string{"audio", "96 opus/48000/2"}, []string{"video", "111 VP8/90000", "112 rtx/90000;apt=111", "45 AV1/90000"})
}

// TestNumbersThatChange: Chromium offers a section of Firefox's again under numbers of its own. Packets that were sent
// before that are still understood.
func TestNumbersThatChange(t *testing.T) {
	n := New()
	n.Local(describe(t, ourOffer...))
	remote(t, n, recorded(t, "go-first-offer"))
	again := describe(t, ourOffer[0], ourOffer[1], []string{"application"}, []string{"audio", "109 opus/48000/2"},
		[]string{"video", "111 VP8/90000", "112 rtx/90000;apt=111", "120 AV1/90000"})
	remote(t, n, again)
	expect(t, again, ourOffer[0], ourOffer[1], []string{"audio", "111 opus/48000/2"},
		[]string{"video", "96 VP8/90000", "97 rtx/90000;apt=96", "45 AV1/90000"})
	if in := n.table().in[1004]; in[111] != 96 || in[112] != 97 || in[120] != 45 || in[121] != 98 || in[99] != 45 {
		t.Errorf("packets become %v", in)
	}
	answer := describe(t, ourOffer[0], ourOffer[1], []string{"application"}, []string{"audio", "111 opus/48000/2"},
		[]string{"video", "96 VP8/90000", "97 rtx/90000;apt=96", "45 AV1/90000"})
	n.Local(answer)
	expect(t, answer, ourOffer[0], ourOffer[1], []string{"audio", "109 opus/48000/2"},
		[]string{"video", "111 VP8/90000", "112 rtx/90000;apt=111", "120 AV1/90000"})
}

// TestOtherKindsNumbers: sound comes first, under a number with which pion will offer video.
func TestOtherKindsNumbers(t *testing.T) {
	n := New()
	vp8 := registeredAs(t, "video/vp8/90000")
	offer := describe(t, []string{"audio", vp8 + " opus/48000/2"})
	remote(t, n, offer)
	expect(t, offer, []string{"audio", "111 opus/48000/2"})
	ours := describe(t, []string{"audio", "111 opus/48000/2"}, []string{"video", vp8 + " VP8/90000"})
	n.Local(ours)
	expect(t, ours, []string{"audio", vp8 + " opus/48000/2"}, []string{"video", "96 VP8/90000"})
}

func registeredAs(t *testing.T, codec string) string {
	t.Helper()
	i := slices.IndexFunc(registered[:], func(f format) bool { return f.codec == codec })
	if i < 0 {
		t.Fatalf("%s is not registered", codec)
	}
	return strconv.Itoa(i)
}

// TestProfiles: a number of H.264 is another's if the profile or the mode is, unless an answer changes them; the level does not matter.
func TestProfiles(t *testing.T) {
	h264 := func(number, level, mode string) string {
		return number + " H264/90000;profile-level-id=" + level + ";packetization-mode=" + mode
	}
	n := New()
	remote(t, n, describe(t, []string{"video", h264("126", "42e01f", "1"), h264("97", "42e01f", "0"), h264("105", "42001f", "1")}))
	next := describe(t, []string{"application"}, []string{"video", h264("97", "42E034", "1"), h264("126", "42e01f", "0"), h264("40", "64001f", "1")})
	remote(t, n, next)
	expect(t, next, []string{"video", h264("126", "42E034", "1"), h264("97", "42e01f", "0"), h264("40", "64001f", "1")})
	answer := describe(t, []string{"application"}, []string{"video", h264("97", "4d001f", "1")})
	remote(t, n, answer)
	expect(t, answer, []string{"video", h264("126", "4d001f", "1")})
}

// TestNumbersWithoutNames: some need none, and pion is to refuse no description because of the others.
func TestNumbersWithoutNames(t *testing.T) {
	n := New()
	offer := describe(t, []string{"audio", "0", "18", "9", "96 opus/48000/2"}, []string{"video", "0"}, []string{"video", "34", "98 VP8/x"})
	if !remote(t, n, offer) {
		t.Error("nothing was added")
	}
	expect(t, offer, []string{"audio", "0 pcmu/8000", "18 unknown/90000", "9 g722/8000", "96 opus/48000/2"}, []string{"video", "0"},
		[]string{"video", "34 unknown/90000", "98 VP8/x unknown/90000"})
}

// TestHostileNumbers: what has no meaning is refused, with the reason.
func TestHostileNumbers(t *testing.T) {
	many := []string{"video"}
	for i := range 200 {
		many = append(many, strconv.Itoa(i)+" VP8/90000")
	}
	for want, section := range map[string][]string{
		"payload type 96 twice":                       {"video", "96 VP8/90000", "97 VP9/90000", "096 AV1/90000"},
		`payload type "128", want 0 to 127`:           {"video", "96 VP8/90000", "128 VP9/90000"},
		`payload type "-1", want 0 to 127`:            {"video", "-1 VP8/90000"},
		`payload type "x", want 0 to 127`:             {"audio", "x VP8/90000"},
		`payload type "18446744073709551712", want 0`: {"audio", "18446744073709551712 VP8/90000"},
		"payload type \"128\", want":                  many,
	} {
		_, err := New().Remote(describe(t, []string{"audio", "0"}, section))
		if !errors.Is(err, fault.Description) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `section "1"`) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	full := New()
	var err error
	for i := range 5 {
		var section []string
		for f := range 40 {
			section = append(section, fmt.Sprintf("%d made-up-%d-%d/90000", 40+f, i, f))
		}
		if _, err = full.Remote(describe(t, append([]string{"video"}, section...), append([]string{"video"}, section...))); err != nil {
			break
		}
	}
	if !errors.Is(err, fault.Description) || !errors.Is(err, errFull) {
		t.Errorf("200 formats: %v", err)
	}
}

// TestAnyNumbers: whatever numbers the sections of a peer have, pion has one meaning for each, each section keeps what
// it said, and our answer has the peer's numbers.
func TestAnyNumbers(t *testing.T) {
	codecs := []string{"VP8/90000", "VP9/90000", "AV1/90000", "H264/90000;packetization-mode=1;profile-level-id=42e01f", "H265/90000", "red/90000"}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := New()
		if r.IntN(2) == 0 {
			n.Local(describe(t, ourOffer...))
		}
		for range 4 {
			sections := slices.Clone(ourOffer)
			for range 1 + r.IntN(4) {
				sections = append(sections, anySection(r, codecs))
			}
			offer := describe(t, sections...)
			remote(t, n, offer)
			meanings := make(map[string]string)
			for i, of := range formats(offer) {
				for _, line := range of[1:] {
					number, rest, _ := strings.Cut(line, " ")
					encoding, _, _ := strings.Cut(strings.ToLower(rest), ";")
					if strings.HasPrefix(encoding, "rtx") { // of what is part of its meaning
						encoding = strings.ToLower(rest)
					}
					if was, ok := meanings[number]; ok && was != of[0]+encoding {
						t.Fatalf("seed %d: pion sees %s as %s and %s", seed, number, was, encoding)
					}
					meanings[number] = of[0] + encoding
				}
				if len(of) != len(sections[i]) {
					t.Fatalf("seed %d: %v became %v", seed, sections[i], of)
				}
			}
			if n.Local(offer); !slices.EqualFunc(formats(offer), sections, slices.Equal) {
				t.Fatalf("seed %d: answered\n%v, offered\n%v", seed, formats(offer), sections)
			}
		}
	}
}

func anySection(r *rand.Rand, codecs []string) []string {
	numbers := r.Perm(96)
	section := []string{"video"}
	for _, c := range codecs {
		if r.IntN(4) == 0 {
			continue
		}
		number := 32 + numbers[0]
		section = append(section, strconv.Itoa(number)+" "+c)
		if r.IntN(2) == 0 {
			section = append(section, fmt.Sprintf("%d rtx/90000;apt=%d", 32+numbers[1], number))
		}
		numbers = numbers[2:]
	}
	return section
}

// TestExtraCodecsKeepTheirNumbers: a codec of the application is offered under its number, so no format of another kind
// gets that.
func TestExtraCodecsKeepTheirNumbers(t *testing.T) {
	l16 := webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/L16", ClockRate: 16000}, PayloadType: 120,
	}
	if n := New(l16); !n.reserved(120, "video") || n.reserved(120, "audio") || New().reserved(120, "video") {
		t.Error("120 is not reserved for audio alone")
	}
}
