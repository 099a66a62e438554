package browser_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/signal"
)

var mutants = flag.Int("mutants", 20_000, "mutated frames to give to both decoders")

// input is bytes for both decoders: a frame, or the body of a type of frame.
type input struct {
	kind  string // frame, offer, candidates, table or wants
	bytes []byte
}

// goSays is the code Go refuses an input with; empty if it takes it.
func (in input) goSays() string {
	if in.kind == "frame" {
		_, err := signal.Decode(in.bytes)
		refusal, _ := errors.AsType[*signal.Error](err)
		if refusal != nil {
			return string(refusal.Code)
		}
		return ""
	}
	var into interface{ Check() error }
	switch in.kind {
	case "offer":
		into = new(signal.Description)
	case "candidates":
		into = new(signal.Candidates)
	case "wants":
		into = new(signal.WantsBody)
	default:
		into = new(signal.TableBody)
	}
	if signal.DecodeBody(in.bytes, into) != nil {
		return string(signal.CodeMalformed)
	}
	return ""
}

// inputs reads everything in signal/testdata that a decoder can be given.
func inputs(t *testing.T) []input {
	t.Helper()
	var all []input
	for _, kind := range []struct {
		pattern string
		read    func(text []byte)
	}{
		{"*valid/*.frame", func(text []byte) {
			all = append(all, input{"frame", text})
			if envelope, body, ok := bytes.Cut(text, []byte("\n")); ok {
				for _, kind := range []string{"offer", "candidates", "table", "wants"} {
					if bytes.Contains(envelope, []byte(`"`+kind+`"`)) {
						all = append(all, input{kind, body})
					}
				}
			}
		}},
		{"sdp/*.sdp", func(text []byte) {
			body, err := json.Marshal(&signal.Description{ID: 1, SDP: string(text)})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, input{"offer", body})
		}},
		{"fuzz/FuzzDecode/*", func(text []byte) {
			_, literal, _ := strings.Cut(string(text), "[]byte(")
			frame, err := strconv.Unquote(strings.TrimSuffix(strings.TrimSpace(literal), ")"))
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			all = append(all, input{"frame", []byte(frame)})
		}},
	} {
		files, err := filepath.Glob("../signal/testdata/" + kind.pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: nothing, %v", kind.pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			kind.read(text)
		}
	}
	return all
}

// mutate changes an input at a few places, mostly to what means something in JSON.
func mutate(random *rand.Rand, in, other input) input {
	b := bytes.Clone(in.bytes)
	words := []string{`"`, `,`, `:`, `{`, `}`, `[`, `]`, `null`, `[null]`, `true`, `0`, `-1`, `1e3`, `1.0`, `2147483648`, `""`, "\n", ` `, `\`, `\u0000`, `\ud800`, "\xff", "한", `"type":"join",`, "m=", "\u202e", "\u200d", "👨", "र्", "\ufe0f", "\u0301", "\u3164", "\u00a0", "葛", "\U000e0100"}
	for range 1 + random.IntN(3) {
		if len(b) == 0 {
			break
		}
		at := random.IntN(len(b))
		end := min(len(b), at+random.IntN(12))
		switch random.IntN(4) {
		case 0:
			b[at] ^= 1 << random.IntN(8)
		case 1:
			b = append(b[:at:at], b[end:]...)
		case 2:
			b = append(b[:at:at], append([]byte(words[random.IntN(len(words))]), b[at+random.IntN(2):]...)...)
		case 3:
			from := random.IntN(len(other.bytes) + 1)
			b = append(b[:at:at], append(bytes.Clone(other.bytes[from:min(len(other.bytes), from+20)]), b[end:]...)...)
		}
	}
	return input{in.kind, b}
}

// TestDecodersAgree: noom.js takes and refuses the same as Go, with the same
// codes: all of testdata, what fuzzing Go has found, and mutants of it all.
func TestDecodersAgree(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		browsertest.Without(t, "NO NODE: noom.js's decoder is not compared with Go's; install Node 20 or later")
	}
	all := inputs(t)
	kept := len(all)
	random := rand.New(rand.NewPCG(11, 12))
	for range *mutants {
		all = append(all, mutate(random, all[random.IntN(kept)], all[random.IntN(kept)]))
	}
	var lines bytes.Buffer
	for _, in := range all {
		fmt.Fprintf(&lines, "%s %s\n", in.kind, base64.StdEncoding.EncodeToString(in.bytes))
	}
	command := exec.CommandContext(t.Context(), node, "testdata/decode.mjs")
	command.Stdin, command.Stderr = &lines, os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	verdicts := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(verdicts) != len(all) {
		t.Fatalf("%d verdicts on %d inputs", len(verdicts), len(all))
	}
	taken, differ := 0, 0
	for i, in := range all {
		want := in.goSays()
		if want == "" {
			taken++
		}
		if verdicts[i] != want && differ < 20 {
			differ++
			t.Errorf("%s %.300q: noom.js says %q, Go %q", in.kind, in.bytes, verdicts[i], want)
		}
	}
	t.Logf("%d inputs, %d of them mutants; %d taken by both", len(all), *mutants, taken)
}
