package questions

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// TestGoldenPieces: the pieces of PROTOCOL.md are read and written as every client does.
func TestGoldenPieces(t *testing.T) {
	var golden struct {
		Valid []struct {
			Kind                           byte
			ID                             ID
			Size                           uint32
			Topic, Code, Text, Rest, Bytes string
		}
		Invalid []struct{ Why, Bytes string }
		Ignored []string
	}
	file, err := os.ReadFile("../../signal/testdata/questions.json")
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(file, &golden); err != nil {
		t.Fatal(err)
	}
	unhex := func(text string) []byte {
		b, wrong := hex.DecodeString(text)
		if wrong != nil {
			t.Fatal(wrong)
		}
		return b
	}
	kinds := make(map[byte]bool)
	for _, g := range golden.Valid {
		kinds[g.Kind] = true
		p, known, wrong := decode(unhex(g.Bytes))
		rest := append(unhex(g.Rest), g.Text...)
		if wrong != nil || !known || p.kind != g.Kind || p.id != g.ID || p.size != g.Size || p.topic != g.Topic || p.code != g.Code || !bytes.Equal(p.rest, rest) {
			t.Errorf("%s is %+v, %v, want %+v", g.Bytes, p, wrong, g)
		}
		p = piece{kind: g.Kind, id: g.ID, size: g.Size, topic: g.Topic, code: g.Code, rest: rest}
		if got := hex.EncodeToString(p.encode()); got != g.Bytes {
			t.Errorf("%+v becomes %s", g, got)
		}
	}
	for _, g := range golden.Invalid {
		if _, _, wrong := decode(unhex(g.Bytes)); !errors.Is(wrong, ErrPiece) {
			t.Errorf("%s: %v", g.Why, wrong)
		}
	}
	for _, b := range golden.Ignored {
		if _, known, wrong := decode(unhex(b)); known || wrong != nil {
			t.Errorf("%s: %v", b, wrong)
		}
	}
	if len(kinds) != 6 || len(golden.Invalid) < 10 {
		t.Errorf("%d kinds, %d invalid pieces", len(kinds), len(golden.Invalid))
	}
}
