package ownership

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

var update = flag.Bool("update", false, "write the golden samples again")

const (
	hubA = "0123456789abcdef0123456789abcdef"
	hubB = "89abcdef0123456789abcdef01234567"
)

// samples has one message of each type at least, by the name of its golden file.
func samples() map[string]Message {
	anna := Person{ID: "anna", Session: "s1", Identity: "anna@example.org"}
	conn := Conn{Conn: 7, Person: anna, Named: true, Order: Stamp{3, 9}, Member: []byte(`{"id":"anna","name":"Anna"}`)}
	state := &State{
		Lineage: []string{hubB + "/1", hubA + "/4"}, Born: hubB + "/1", N: 12,
		Memory: Memory{Locked: true, Away: []Person{{ID: "bert"}}, Barred: []Person{{ID: "mallory", Identity: "m"}}, Rest: []jsontext.Value{[]byte(`{"ended":1}`)}},
		Roster: []Person{anna},
		Chats:  []Chat{{"anna/1", []byte("{\"type\":\"chat\"}\n")}, {"anna/2", []byte{}}},
	}
	return map[string]Message{
		"beat": {
			Type: TypeBeat, Hub: hubA, Hears: []string{hubB}, Degree: 1, Draining: true, View: 1<<53 - 1, Clock: 1795700000000,
			Marks: []Mark{{To: hubB, Room: "lobby", N: 3, Seq: 8}, {To: hubB, Room: "café", N: 1, Down: true}},
		},
		"settled":   {Type: TypeSettled, Hub: hubA, View: 77},
		"attach":    {Type: TypeAttach, Hub: hubA, Room: "lobby", N: 3, Conns: []Conn{conn}, State: state},
		"hand-over": {Type: TypeAttach, Hub: hubA, Room: "lobby", N: 4, Over: true, State: &State{}},
		"attached": {
			Type: TypeAttached, Hub: hubA, Room: "lobby", N: 3, State: state, Roster: []jsontext.Value{conn.Member, []byte("2")},
			Places: []Place{{7, 1, Stamp{3, 9}}},
		},
		"enter":   {Type: TypeEnter, Hub: hubA, Room: "lobby", N: 3, Seq: 1, Conn: &conn, Body: []byte("{\"proven\":true}")},
		"frame":   {Type: TypeFrame, Hub: hubA, Room: "lobby", N: 3, Seq: 2, From: 7, Body: []byte("{\"type\":\"offer\"}\n\x00\xff")},
		"gone":    {Type: TypeFrame, Hub: hubA, Room: "lobby", N: 3, Seq: 3, From: 7, Gone: "left"},
		"deliver": {Type: TypeDeliver, Hub: hubA, Room: "lobby", N: 3, Seq: 1, To: []int64{7, 8}, Chat: "anna/3", Body: []byte("hi")},
		"last":    {Type: TypeDeliver, Hub: hubA, Room: "lobby", N: 3, Seq: 2, To: []int64{7}, Last: true, Body: []byte("bye")},
		"entered": {Type: TypeDeliver, Hub: hubA, Room: "lobby", N: 3, Seq: 3, To: []int64{7}, Entered: &Stamp{3, 10}},
		"again":   {Type: TypeDeliver, Hub: hubA, Room: "lobby", N: 3, Seq: 4, To: []int64{7}, Again: true, Body: []byte("prove")},
		"end":     {Type: TypeDeliver, Hub: hubA, Room: "lobby", N: 3, Seq: 5, To: []int64{7}, Reason: ReasonRestart},
		"push":    {Type: TypeDeliver, Hub: hubA, Room: "lobby", N: 3, Seq: 6, State: &State{Lineage: []string{hubA + "/4"}, N: 13}},
		"changed": {Type: TypeDeliver, Hub: hubA, Room: "lobby", N: 3, Seq: 7, To: []int64{7}, Member: conn.Member},
		"renew":   {Type: TypeRenew, Hub: hubA, Room: "lobby", N: 3},
		"missed":  {Type: TypeMissed, Hub: hubA, Room: "lobby", N: 3, Missed: []int64{0, 4, 5}, Down: true},
	}
}

// Hubs of several versions may be together: what one has written the next has to read.
func TestGoldenSamples(t *testing.T) {
	seen := map[Type]bool{}
	for name, m := range samples() {
		file := filepath.Join("testdata", "messages", name)
		data, err := m.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if *update {
			if err = os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, golden) {
			t.Errorf("%s is now\n%s\nwas\n%s", name, data, golden)
		}
		got, err := Decode(golden)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(*got, m) {
			t.Errorf("%s was read as\n%+v\nis\n%+v", name, *got, m)
		}
		seen[m.Type] = true
	}
	for _, kind := range []Type{TypeBeat, TypeSettled, TypeAttach, TypeAttached, TypeEnter, TypeFrame, TypeDeliver, TypeRenew, TypeMissed} {
		if !seen[kind] {
			t.Errorf("there is no sample of %s", kind)
		}
	}
}

// A newer hub may say more.
func TestUnknownFieldsAreIgnored(t *testing.T) {
	m, err := Decode([]byte(`{"type":"renew","hub":"` + hubA + `","room":"lobby","n":3,"colour":{"a":[1]}}`))
	if err != nil || m.N != 3 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestForeignBytesAreRefused(t *testing.T) {
	head := `{"hub":"` + hubA + `","room":"lobby","n":3,`
	many := strings.Repeat(`{"id":"x"},`, maxList) + `{"id":"x"}`
	for name, text := range map[string]string{
		"nothing":              ``,
		"null":                 `null`,
		"a list":               `[]`,
		"no JSON":              `hello`,
		"two values":           head + `"type":"renew"}{}`,
		"a field twice":        head + `"n":4,"type":"renew"}`,
		"not UTF-8":            head + `"type":"renew","reason":"` + "\xff" + `"}`,
		"no type":              head + `"view":1}`,
		"an unknown type":      head + `"type":"party"}`,
		"no hub":               `{"type":"renew","room":"lobby","n":3}`,
		"another hub":          `{"type":"renew","hub":"` + strings.ToUpper(hubA) + `","room":"lobby","n":3}`,
		"no room":              `{"type":"renew","hub":"` + hubA + `","n":3}`,
		"a long room":          `{"type":"renew","hub":"` + hubA + `","room":"` + strings.Repeat("x", maxRoom+1) + `","n":3}`,
		"no number":            `{"type":"renew","hub":"` + hubA + `","room":"lobby"}`,
		"a negative number":    `{"type":"renew","hub":"` + hubA + `","room":"lobby","n":-3}`,
		"a large number":       `{"type":"renew","hub":"` + hubA + `","room":"lobby","n":9007199254740992}`,
		"a fraction":           `{"type":"renew","hub":"` + hubA + `","room":"lobby","n":1.5}`,
		"no view":              `{"type":"settled","hub":"` + hubA + `"}`,
		"hears nobody":         `{"type":"beat","hub":"` + hubA + `","hears":["x"]}`,
		"a large degree":       `{"type":"beat","hub":"` + hubA + `","degree":1025}`,
		"a mark without room":  `{"type":"beat","hub":"` + hubA + `","marks":[{"to":"` + hubB + `","n":1}]}`,
		"no state":             head + `"type":"attach"}`,
		"over with members":    head + `"type":"attach","state":{},"over":true,"conns":[{"conn":1,"id":"x","order":{"term":0,"n":0}}]}`,
		"a connection twice":   head + `"type":"attach","state":{},"conns":[{"conn":1,"id":"x"},{"conn":1,"id":"y"}]}`,
		"a connection 0":       head + `"type":"attach","state":{},"conns":[{"conn":0,"id":"x"}]}`,
		"nobody's connection":  head + `"type":"attach","state":{},"conns":[{"conn":1}]}`,
		"a long identity":      head + `"type":"attach","state":{"roster":[{"id":"` + strings.Repeat("x", maxWord+1) + `"}]}}`,
		"a long list":          head + `"type":"attach","state":{"roster":[` + many + `]}}`,
		"an empty term":        head + `"type":"attach","state":{"lineage":[""]}}`,
		"a chat without frame": head + `"type":"attach","state":{"chats":[{"id":"a"}]}}`,
		"attached to no term":  head + `"type":"attached","state":{}}`,
		"a place too far":      head + `"type":"attached","state":{"lineage":["a"]},"places":[{"conn":1,"place":0,"order":{"term":0,"n":0}}]}`,
		"enter of nobody":      head + `"type":"enter","seq":1,"sizes":[1]}` + "\nx",
		"a frame of nobody":    head + `"type":"frame","seq":1,"sizes":[1]}` + "\nx",
		"a frame and gone":     head + `"type":"frame","seq":1,"from":1,"gone":"left","sizes":[1]}` + "\nx",
		"no sequence":          head + `"type":"frame","from":1,"sizes":[1]}` + "\nx",
		"deliver to nobody":    head + `"type":"deliver","seq":1,"sizes":[1]}` + "\nx",
		"last without a word":  head + `"type":"deliver","seq":1,"to":[1],"last":true}`,
		"to the same twice":    head + `"type":"deliver","seq":1,"to":[1,1],"sizes":[1]}` + "\nx",
		"misses nothing":       head + `"type":"missed"}`,
		"misses it twice":      head + `"type":"missed","missed":[1,1]}`,
		"attached by number":   head + `"type":"attached","seq":1,"state":{"lineage":["a"]}}`,
		"bytes behind":         head + `"type":"renew"}` + "\nx",
		"too few bytes":        head + `"type":"frame","seq":1,"from":1,"sizes":[2]}` + "\nx",
		"too many bytes":       head + `"type":"frame","seq":1,"from":1,"sizes":[1]}` + "\nxy",
		"a negative size":      head + `"type":"frame","seq":1,"from":1,"sizes":[-1]}` + "\nx",
		"more frames":          head + `"type":"frame","seq":1,"from":1,"sizes":[1,0]}` + "\nx",
		"too large":            head + `"type":"renew","reason":"` + strings.Repeat(" ", MaxMessage) + `"}`,
	} {
		if m, err := Decode([]byte(text)); !errors.Is(err, errMessage) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// What could not be read must not be said.
func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	for name, m := range map[string]Message{
		"no hub":    {Type: TypeRenew, Room: "lobby", N: 1},
		"too large": {Type: TypeFrame, Hub: hubA, Room: "lobby", N: 1, Seq: 1, From: 1, Body: make([]byte, MaxMessage)},
	} {
		if data, err := m.Encode(); err == nil {
			t.Errorf("%s: %d bytes", name, len(data))
		}
	}
}

// FuzzDecode gives foreign bytes to the codec and, if they are a message, to machines in several states.
func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		data, err := m.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			if !errors.Is(err, errMessage) {
				t.Fatalf("%v is not of the codec", err)
			}
			return
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", m, err)
		}
		twin, err := Decode(again)
		if err != nil {
			t.Fatalf("%s was written and cannot be read: %v", again, err)
		}
		if third, err := twin.Encode(); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%s is written as %s, %v", again, third, err)
		}
		for _, r := range []*Room{edgeOf(), ownerOf(false), ownerOf(true)} {
			check := *m
			check.Room = r.name
			checkSent(t, r.Take(&check))
			for _, k := range m.Marks {
				checkSent(t, r.Marked(m.Hub, k))
			}
			checkSent(t, r.Tick())
		}
		c := NewCluster(hubB)
		c.Take(m)
		c.Tick()
	})
}

// checkSent checks that others can read what comes of foreign messages.
func checkSent(t *testing.T, actions []Action) {
	t.Helper()
	for _, a := range actions {
		if a.Kind != Send {
			continue
		}
		if _, err := a.Message.Encode(); err != nil {
			t.Errorf("%s cannot be written: %v", a.Message.Type, err)
		}
	}
}
