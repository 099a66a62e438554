package signal_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"noom/signal"
)

// rfc8032ID is the id of the first key of RFC 8032 section 7.1, made by other
// means than this package's.
const rfc8032ID = "eh7ddx5bksrgcytl7bkai36se4"

func TestMemberID(t *testing.T) {
	key := ed25519.NewKeyFromSeed(unbase64(t, "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
	public := signal.PublicKey(key.Public().(ed25519.PublicKey))
	if got := signal.MemberID(public); got != rfc8032ID {
		t.Errorf("id %s, want %s", got, rfc8032ID)
	}
	m := signal.Member{ID: rfc8032ID, Name: "지우", PublicKey: public, Session: signal.NewSession()}
	if err := m.Verify(); err != nil {
		t.Errorf("Verify: %v", err)
	}
	for what, spoil := range map[string]func(*signal.Member){
		"another id":      func(m *signal.Member) { m.ID = strings.Repeat("a", 26) },
		"another key":     func(m *signal.Member) { m.PublicKey = bytes.Repeat([]byte{1}, 32) },
		"a short key":     func(m *signal.Member) { m.PublicKey = m.PublicKey[:31] },
		"no session":      func(m *signal.Member) { m.Session = "" },
		"a bad name":      func(m *signal.Member) { m.Name = "a\nb" },
		"a name too long": func(m *signal.Member) { m.Name = strings.Repeat("n", 129) },
	} {
		spoilt := m
		spoil(&spoilt)
		if spoilt.Verify() == nil {
			t.Errorf("Verify accepts %s", what)
		}
	}
}

func TestSessionsDiffer(t *testing.T) {
	if a, b := signal.NewSession(), signal.NewSession(); a == b || len(a) != 22 {
		t.Errorf("sessions %q and %q", a, b)
	}
}

// Encode keeps what it made, and Stamp forgets it.
func TestStamp(t *testing.T) {
	m, err := signal.Decode(frames(t, "valid")["offer"])
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Clone(m.Body)
	from := strings.Repeat("a", 26)
	m.Stamp(from)
	frame, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	stamped, err := signal.Decode(frame)
	if err != nil || stamped.From != from || !bytes.Equal(stamped.Body, body) {
		t.Fatalf("stamped: from %q, body %q (%v)", stamped.From, stamped.Body, err)
	}
	if again, err := m.Encode(); err != nil || &again[0] != &frame[0] {
		t.Fatalf("a second Encode made the frame again (%v)", err)
	}
	if &m.Body[0] != &frame[len(frame)-len(body)] {
		t.Error("after Encode the body does not point into the frame")
	}
}

func TestBodies(t *testing.T) {
	row := signal.TrackRow{ID: "a1", Name: "카메라", Kind: "video"}
	table := signal.Table{Version: 1, Tracks: map[string]signal.TrackRow{"1": row}}
	description := &signal.Description{ID: 1, SDP: "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", Table: table}
	body, err := signal.EncodeBody(description)
	if err != nil {
		t.Fatal(err)
	}
	var decoded signal.Description
	if err := signal.DecodeBody(body, &decoded); err != nil || !reflect.DeepEqual(&decoded, description) {
		t.Fatalf("decoded %+v (%v)", decoded, err)
	}
	if again, err := signal.EncodeBody(description); err != nil || !bytes.Equal(again, body) {
		t.Errorf("bodies are not deterministic: %q, %q (%v)", body, again, err)
	}

	many := map[string]signal.TrackRow{}
	for n := range signal.MaxTracks + 1 {
		many[fmt.Sprint(n)] = signal.TrackRow{ID: fmt.Sprint("t", n), Kind: "audio"}
	}
	wants := map[string]int{}
	for n := range signal.MaxTracks + 1 {
		wants[fmt.Sprint("t", n)] = 1
	}
	candidate := signal.Candidate{Candidate: "candidate:1", SDPMid: "0"}
	for what, bad := range map[string]interface{ Check() error }{
		"description id 0":         &signal.Description{ID: 0, SDP: "v=0"},
		"description id too high":  &signal.Description{ID: signal.MaxNumber + 1, SDP: "v=0"},
		"no SDP":                   &signal.Description{ID: 1},
		"SDP too long":             &signal.Description{ID: 1, SDP: strings.Repeat("s", signal.MaxSDP+1)},
		"table version negative":   &signal.TableBody{Table: signal.Table{Version: -1}},
		"table version too high":   &signal.TableBody{Table: signal.Table{Version: signal.MaxNumber + 1}},
		"65 rows":                  &signal.TableBody{Table: signal.Table{Tracks: many}},
		"a row without mid":        &signal.TableBody{Table: signal.Table{Tracks: map[string]signal.TrackRow{"": row}}},
		"a row without id":         &signal.TableBody{Table: signal.Table{Tracks: map[string]signal.TrackRow{"1": {Kind: "audio"}}}},
		"a row of unknown kind":    &signal.TableBody{Table: signal.Table{Tracks: map[string]signal.TrackRow{"1": {ID: "a", Kind: "smell"}}}},
		"a row with a bad name":    &signal.TableBody{Table: signal.Table{Tracks: map[string]signal.TrackRow{"1": {ID: "a", Kind: "audio", Name: "a\nb"}}}},
		"one track on two mids":    &signal.TableBody{Table: signal.Table{Tracks: map[string]signal.TrackRow{"1": row, "2": row}}},
		"wants version negative":   &signal.WantsBody{Version: -1},
		"wants version too high":   &signal.WantsBody{Version: signal.MaxNumber + 1},
		"wants of 65 tracks":       &signal.WantsBody{Version: 1, Wants: wants},
		"wants of no track":        &signal.WantsBody{Version: 1, Wants: map[string]int{"": 1}},
		"a negative height":        &signal.WantsBody{Version: 1, Wants: map[string]int{"a": -1}},
		"a height too high":        &signal.WantsBody{Version: 1, Wants: map[string]int{"a": signal.MaxHeight + 1}},
		"no candidates":            &signal.Candidates{Ufrag: "u"},
		"33 candidates":            &signal.Candidates{Ufrag: "u", Candidates: make([]signal.Candidate, 33)},
		"candidates without ufrag": &signal.Candidates{Candidates: []signal.Candidate{candidate}},
		"a candidate too long":     &signal.Candidates{Ufrag: "u", Candidates: []signal.Candidate{{Candidate: strings.Repeat("c", 1025)}}},
	} {
		if bad.Check() == nil {
			t.Errorf("Check accepts %s", what)
		}
		if _, err := signal.EncodeBody(bad); err == nil {
			t.Errorf("EncodeBody accepts %s", what)
		}
	}
	for what, bad := range map[string]string{
		"a duplicate key":   `{"table":{"version":1,"tracks":{}},"table":{"version":2,"tracks":{}}}`,
		"a duplicate mid":   `{"table":{"version":1,"tracks":{"1":{"id":"a","kind":"audio"},"1":{"id":"b","kind":"audio"}}}}`,
		"trailing garbage":  `{"table":{"version":1,"tracks":{}}}x`,
		"a list":            `[]`,
		"nothing":           ``,
		"a wrong-case kind": `{"table":{"version":1,"tracks":{"1":{"id":"a","Kind":"audio"}}}}`,
	} {
		if signal.DecodeBody([]byte(bad), new(signal.TableBody)) == nil {
			t.Errorf("DecodeBody accepts %s", what)
		}
	}
}

func TestWantsBody(t *testing.T) {
	var w signal.WantsBody
	if err := signal.DecodeBody([]byte(`{"version":7,"wants":{"a":0,"b":16384,"c":null},"later":1}`), &w); err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"a": 0, "b": 16384, "c": 0}; w.Version != 7 || !reflect.DeepEqual(w.Wants, want) {
		t.Errorf("decoded %+v", w)
	}
	for what, bad := range map[string]string{
		"a track twice": `{"version":1,"wants":{"a":1,"a":2}}`,
		"a fraction":    `{"version":1,"wants":{"a":1.0}}`,
		"a string":      `{"version":1,"wants":{"a":"1"}}`,
		"a list":        `{"version":1,"wants":["a"]}`,
		"nothing":       ``,
	} {
		if signal.DecodeBody([]byte(bad), new(signal.WantsBody)) == nil {
			t.Errorf("DecodeBody accepts %s", what)
		}
	}
}

// A frame of a type that a later version has added is a pair frame if it has all that one has, and is otherwise reduced
// to its type.
func TestLaterTypes(t *testing.T) {
	golden := string(frames(t, "valid")["unknown-pair-type"])
	m, err := signal.Decode([]byte(golden))
	if err != nil || !m.Pair() || m.Type.Pair() || m.Seq != 4 || m.Name != "" || len(m.Body) == 0 {
		t.Fatalf("decoded %+v (%v)", m, err)
	}
	from := strings.Repeat("a", 26)
	m.Stamp(from)
	frame, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := signal.Decode(frame); err != nil || !again.Pair() || again.From != from || !bytes.Equal(again.Body, m.Body) {
		t.Errorf("relayed %+v (%v)", again, err)
	}
	for what, change := range map[string][2]string{
		"without a number":     {`"seq":4`, `"seq":0`},
		"with a bad address":   {`"to":"k`, `"to":"K`},
		"with a list of them":  {`"to":"`, `"to":["x"],"too":"`},
		"with a bad sender":    {`"to":`, `"from":"bob","to":`},
		"without sessions":     {`"sessions"`, `"session"`},
		"without a signature":  {`"signature"`, `"sign"`},
		"with a broken number": {`"ack":4`, `"ack":4.0`},
		"of a spoilt type":     {`"wave"`, `"wave\n"`},
		"of a long type":       {`"wave"`, `"` + strings.Repeat("w", 65) + `"`},
	} {
		changed := strings.Replace(golden, change[0], change[1], 1)
		m, err := signal.Decode([]byte(changed))
		if err != nil || changed == golden || m.Pair() || m.Seq != 0 || m.To != "" || m.Body != nil {
			t.Errorf("%s: decoded %+v (%v)", what, m, err)
		}
	}
}

// A pair signature covers everything that a receiver acts on.
func TestPairTextCoversTheFrame(t *testing.T) {
	m, err := signal.Decode(frames(t, "valid")["offer"])
	if err != nil {
		t.Fatal(err)
	}
	from := strings.Repeat("a", 26)
	text := signal.PairText(&m, "데모", from)
	other := strings.Repeat("b", 26)
	for what, change := range map[string]func(*signal.Message){
		"type":           func(m *signal.Message) { m.Type = signal.TypeAnswer },
		"to":             func(m *signal.Message) { m.To = other },
		"first session":  func(m *signal.Message) { m.Sessions[0] = "x" },
		"second session": func(m *signal.Message) { m.Sessions[1] = "x" },
		"epoch":          func(m *signal.Message) { m.Epoch.Number++ },
		"beginner":       func(m *signal.Message) { m.Epoch.By = other },
		"seq":            func(m *signal.Message) { m.Seq++ },
		"ack":            func(m *signal.Message) { m.Ack++ },
		"body":           func(m *signal.Message) { m.Body = append(bytes.Clone(m.Body), ' ') },
	} {
		changed := m
		change(&changed)
		if bytes.Equal(signal.PairText(&changed, "데모", from), text) {
			t.Errorf("the signed text does not cover the %s", what)
		}
	}
	if bytes.Equal(signal.PairText(&m, "demo", from), text) || bytes.Equal(signal.PairText(&m, "데모", other), text) {
		t.Error("the signed text does not cover room and sender")
	}
}

func TestErrors(t *testing.T) {
	e := signal.Errorf(signal.CodeRoomFull, signal.TypeJoin, "the room has %d members", 64)
	if !errors.Is(e, &signal.Error{Code: signal.CodeRoomFull}) || errors.Is(e, &signal.Error{Code: signal.CodeHubFull}) {
		t.Error("errors.Is does not go by the code")
	}
	m := signal.ErrorMessage(e)
	if got := m.Err(); got == nil || *got != *e {
		t.Errorf("an error frame has %v, want %v", got, e)
	}
	if (&signal.Message{Type: signal.TypePing}).Err() != nil {
		t.Error("a ping has an error")
	}
	if got := e.Error(); got != "the room has 64 members (room_full)" {
		t.Errorf("Error() = %q", got)
	}
}

// bare is a Signaler with nothing beyond the interface.
type bare struct{ signal.Signaler }

func (b bare) Close() error { return errClosedPlainly }

var errClosedPlainly = errors.New("closed plainly")

// located knows where it leads; wrapped is around it.
type located struct{ signal.Signaler }

func (located) Endpoint() string    { return "hub.example" }
func (located) Address() netip.Addr { return netip.IPv6Loopback() }

type wrapped struct{ signal.Signaler }

func (w wrapped) Unwrap() signal.Signaler { return w.Signaler }

func TestOptionalMethods(t *testing.T) {
	around := wrapped{wrapped{located{}}}
	if e, a := signal.Endpoint(around), signal.Address(around); e != "hub.example" || a != netip.IPv6Loopback() {
		t.Errorf("a wrapped transport has %q and %v", e, a)
	}
	if e, a := signal.Endpoint(wrapped{}), signal.Address(wrapped{bare{}}); e != "" || a.IsValid() {
		t.Errorf("wrapped nothing has %q and %v", e, a)
	}
	if got := signal.Endpoint(bare{}); got != "" {
		t.Errorf("Endpoint of a transport without one: %q", got)
	}
	if err := signal.CloseWith(bare{}, &signal.Error{}); !errors.Is(err, errClosedPlainly) {
		t.Errorf("CloseWith on a transport that cannot say why: %v", err)
	}
	dialled := false
	d := signal.DialerFunc(func(context.Context) (signal.Signaler, error) {
		dialled = true
		return bare{}, nil
	})
	if _, err := d.Dial(t.Context()); err != nil || !dialled {
		t.Errorf("DialerFunc: %v", err)
	}
}
