package signal

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

func plainOffer() Message {
	return Message{
		Type: TypeOffer, From: strings.Repeat("a", 26), To: strings.Repeat("b", 26),
		Sessions: [2]string{strings.Repeat("S", 22), strings.Repeat("-", 22)},
		Epoch:    Epoch{Number: 3, By: strings.Repeat("c", 26)}, Seq: 7, Ack: 2_147_483_647,
		Signature: bytes.Repeat([]byte{0xfb}, 64), Body: []byte(`{"id":1,"sdp":"` + strings.Repeat("데모 ", 300) + `"}`),
	}
}

// agree checks that scan either leaves an envelope to the library or reads
// what the library reads; and the same of appendPlain with what was read.
func agree(t *testing.T, envelope []byte) (plain bool) {
	t.Helper()
	var fast, full Message
	plain = fast.scan(envelope)
	err := json.Unmarshal(envelope, &full)
	if plain && (err != nil || !reflect.DeepEqual(fast, full)) {
		t.Fatalf("%q:\nscanned %+v\nlibrary %+v, %v", envelope, fast, full, err)
	}
	if err != nil {
		return plain
	}
	written, ok := full.appendPlain(nil)
	if !ok {
		return plain
	}
	pair := Message{ // nothing else is in a pair frame
		Type: full.Type, From: full.From, To: full.To, Signature: full.Signature,
		Sessions: full.Sessions, Epoch: full.Epoch, Seq: full.Seq, Ack: full.Ack,
	}
	want, err := json.Marshal(&pair)
	if err != nil || !bytes.Equal(written, want) {
		t.Fatalf("written %s\nlibrary %s, %v", written, want, err)
	}
	return plain
}

// signed is what a chat is signed with, as it is written.
const signed = `{"number":1,"order":12,"after":"AAAAAAAAAAAAAAAAAAAAAA","sent":1796131704948,"name":"지우","signature":"-_8"}`

func TestPlainEnvelopesAgreeWithTheLibrary(t *testing.T) {
	offer := plainOffer()
	offer.Body = nil
	frame, err := json.Marshal(&offer)
	if err != nil {
		t.Fatal(err)
	}
	for _, envelope := range []string{
		string(frame), `{"type":"ping"}`, `{"type":"pong"}`, `{"type":"chat","id":"c1","text":"안녕하세요"}`,
		`{"type":"ack","to":"b","sessions":["",""],"epoch":[0,""],"seq":0,"ack":10}`, `{"type":"later"}`,
		`{"ack":1,"type":"grant","signature":""}`, `{"type":"chat","id":"c1","signed":` + signed + `,"text":"안녕하세요"}`,
		`{"type":"join","room":"데모","name":"지우","key":"` + strings.Repeat("A", 43) + `","session":"s","token":"t"}`,
	} {
		if !agree(t, []byte(envelope)) {
			t.Errorf("not taken for plain: %s", envelope)
		}
	}
	for _, envelope := range []string{
		``, `{`, `{}`, `{"type":"ping"} `, ` {"type":"ping"}`, `{"type":"ping",}`, `{"type":"ping","type":"ping"}`,
		`{"type":"chat","id":"c","text":"a\nb"}`, "{\"type\":\"chat\",\"text\":\"a\x01b\"}", `{"type":"ping","later":1}`,
		`{"seq":01,"type":"ack"}`, `{"seq":-1,"type":"ack"}`, `{"seq":1.0,"type":"ack"}`, `{"seq":1e3,"type":"ack"}`,
		`{"seq":90071992547409910,"type":"ack"}`, `{"sessions":["a"],"type":"ack"}`, `{"sessions":["a","b","c"],"type":"ack"}`,
		`{"epoch":["a",1],"type":"ack"}`, `{"epoch":[1],"type":"ack"}`, `{"signature":"a","type":"ack"}`,
		`{"signature":"====","type":"ack"}`, `{"key":"a","type":"join"}`, `{"key":"","key":"","type":"join"}`, `{"Type":"ping"}`, `{"type":null}`, `{"type":"ping"}{}`, `[]`,
		`{"type":"chat","text":"` + strings.Repeat("x", maxPlain) + `"}`,
		`{"type":"chat","signed":` + signed + `,"signed":` + signed + `}`, `{"type":"chat","signed":{"number":1,"number":2}}`,
		`{"type":"chat","signed":{}}`, `{"type":"chat","signed":null}`, `{"type":"chat","signed":{"later":1}}`, `{"type":"chat","signed":{"text":"a"}}`,
	} {
		if agree(t, []byte(envelope)) {
			t.Errorf("taken for plain: %s", envelope)
		}
	}
}

// Each byte of a plain envelope is changed to each of those that mean
// something in JSON: whatever comes out, the two readers agree.
func TestDamagedEnvelopesAgreeWithTheLibrary(t *testing.T) {
	offer := plainOffer()
	frame, err := offer.Encode()
	if err != nil {
		t.Fatal(err)
	}
	pair, _, _ := bytes.Cut(frame, []byte{'\n'})
	chat := []byte(`{"type":"chat","signed":` + strings.Replace(signed, "지우", "jiu", 1) + `,"text":"x"}`) // damage must not break UTF-8
	for _, envelope := range [][]byte{pair, chat} {
		for i := range envelope {
			for _, c := range []byte("\"\\{}[]:,0-. \tatn\x00\x7f") {
				damaged := bytes.Clone(envelope)
				damaged[i] = c
				agree(t, damaged)
			}
			agree(t, envelope[:i])
		}
	}
}

func TestEncodePlain(t *testing.T) {
	fast, full := plainOffer(), plainOffer()
	frame, err := fast.Encode()
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := json.Marshal(&full)
	if err != nil {
		t.Fatal(err)
	}
	if want := string(envelope) + "\n" + string(full.Body); string(frame) != want {
		t.Errorf("%s\nwant %s", frame, want)
	}
	if !bytes.Equal(fast.Body, full.Body) || &fast.Body[0] != &frame[len(frame)-len(fast.Body)] {
		t.Error("Body does not point into the frame")
	}
	odd := plainOffer()
	odd.To = "누구"
	if frame, err := odd.Encode(); err != nil || !bytes.Contains(frame, []byte(`"to":"누구"`)) {
		t.Errorf("an odd id: %s, %v", frame, err)
	}
}

// The frames of an arrival are the library's, byte for byte.
func TestEncodeArrival(t *testing.T) {
	key := PublicKey(bytes.Repeat([]byte{0xfb}, 32))
	member := func(name string, rights ...Right) Member {
		return Member{ID: MemberID(key), Name: name, PublicKey: key, Session: NewSession(), Rights: rights}
	}
	limits := &Limits{Frame: 1, Name: 2, Chat: 3, Members: 4, Rate: 5, Burst: 6, Queue: 7, Join: 8, Rooms: 9, Connections: 10, Address: -1}
	odd := member("이상")
	odd.Session = "누구"
	odder := member("더 이상", "무엇")
	for _, name := range []string{"지우", "", `"\`, "<b>&amp;\u2028", "\x01\t\n", "\U0001F600", "bob"} {
		self, other := member(name), member(name+"2", AllRights()...)
		self.Account = "길동@example.com"
		nothing := member(name)
		nothing.Rights, nothing.Account = Rights{}, name
		for _, m := range []Message{
			{Type: TypeWelcome, Member: &self},
			{Type: TypeWelcome, Member: &other},
			{Type: TypeWelcome, Member: &nothing},
			{Type: TypeWelcome, Member: &odd},
			{Type: TypeWelcome, Member: &odder},
			{Type: TypeWelcome},
			{Type: TypeJoined, Self: &self, Limits: limits},
			{Type: TypeJoined, Self: &other, Members: []Member{}, Limits: limits, Heartbeat: 10_000},
			{Type: TypeJoined, Self: &self, Members: []Member{other, nothing, self}, Limits: limits, Locked: true},
			{Type: TypeJoined, Self: &self, Members: []Member{other, odd}, Limits: limits},
			{Type: TypeJoined, Self: &self, Limits: limits, ICEServers: []ICEServer{{URLs: []string{"stun:stun.example"}}}},
			{Type: TypeJoined, Self: &self, Limits: limits, Lifetime: 1},
			{Type: TypeJoined, Nonce: Bytes(key), Self: &self, Members: []Member{other}, Limits: limits, Locked: true},
			{Type: TypeJoined, Room: "데모", Self: &self, Members: []Member{other}, Limits: limits},
			{Type: TypeJoined, Self: &self, Members: []Member{other}, Limits: limits, Place: 1},
			{Type: TypeJoined, Self: &self},
			{Type: TypeJoined},
		} {
			want, err := json.Marshal(&m)
			if err != nil {
				t.Fatal(err)
			}
			if frame, err := m.Encode(); err != nil || !bytes.Equal(frame, want) {
				t.Errorf("%s, %v\nwant %s", frame, err, want)
			}
		}
	}
	broken := member("\xff")
	welcome := Message{Type: TypeWelcome, Member: &broken}
	if frame, err := welcome.Encode(); err == nil {
		t.Errorf("a name that is no UTF-8 was encoded: %q", frame)
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, kind := range []string{"valid", "invalid"} {
		files, err := filepath.Glob("testdata/" + kind + "/*.frame")
		if err != nil || len(files) == 0 {
			f.Fatalf("no golden frames: %v", err)
		}
		for _, file := range files {
			frame, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			envelope, _, _ := bytes.Cut(frame, []byte{'\n'})
			f.Add(envelope)
		}
	}
	f.Fuzz(func(t *testing.T, envelope []byte) {
		if _, err := Decode(envelope); err == nil { // else it may not be UTF-8
			agree(t, envelope)
		}
	})
}

// What a hub does with each pair frame: read it, stamp it, write it.
func BenchmarkRelayedFrame(b *testing.B) {
	offer := plainOffer()
	frame, err := offer.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m, err := Decode(frame)
		if err != nil {
			b.Fatal(err)
		}
		m.Stamp(offer.From)
		if _, err := m.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodePing(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode([]byte(`{"type":"ping"}`)); err != nil {
			b.Fatal(err)
		}
	}
}

// Every byte at every place of eight and of what is left over is seen, whatever is beside it.
func TestPlain(t *testing.T) {
	for c := range 256 {
		for at := range 19 {
			for _, beside := range []byte{' ', 'a', 0x7f, 0x80, 0xff} {
				text := bytes.Repeat([]byte{beside}, 19)
				text[at] = byte(c)
				if got, want := plain(text), !slices.ContainsFunc(text, func(c byte) bool { return c == '\\' || c < ' ' }); got != want {
					t.Fatalf("%q: %v, want %v", text, got, want)
				}
			}
		}
	}
}
