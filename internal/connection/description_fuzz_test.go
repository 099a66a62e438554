package connection

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"noom/internal/diagnose"
	"noom/internal/engine"
	"noom/internal/fault"
	"noom/internal/payloads"
	"noom/signal"
)

// corpus returns the descriptions in signal/testdata/sdp, of Chromium, pion,
// Firefox's kind and hostile, by name.
func corpus(tb testing.TB) map[string]string {
	tb.Helper()
	files, err := filepath.Glob("../../signal/testdata/sdp/*.sdp")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no descriptions: %v", err)
	}
	all := make(map[string]string, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".sdp")] = string(text)
	}
	return all
}

// guarded is what a description passes before pion is given it.
func guarded(text string) (description, error) {
	if err := (&signal.Description{ID: 1, SDP: text}).Check(); err != nil {
		return description{}, err
	}
	return inspected(text)
}

// inspected is inspectDescription, guarded against panics of pion's parser as a link is.
func inspected(text string) (d description, err error) {
	defer recoverPanic(&err, slog.New(slog.DiscardHandler))
	return inspectText(text)
}

// TestDescriptions: sdp.json says which are refused by their bounds, by both
// ends alike, which by the guard, and which pion is given; pion then takes
// those that are not hostile, and survives those that are.
func TestDescriptions(t *testing.T) {
	var want map[string]string
	text, err := os.ReadFile("../../signal/testdata/sdp.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	all := corpus(t)
	if len(all) != len(want) {
		t.Errorf("sdp.json names %d descriptions, there are %d", len(want), len(all))
	}
	for name, text := range all {
		got := "taken"
		if err := (&signal.Description{ID: 1, SDP: text}).Check(); err != nil {
			got = "bounds"
		} else if _, err := inspected(text); err != nil {
			got = "refused"
		}
		if got != want[name] {
			t.Errorf("%s is %s, want %s", name, got, want[name])
		}
		if got == "taken" && !strings.HasSuffix(name, "-answer") {
			if err := giveToPion(t, text); err != nil && !strings.HasPrefix(name, "hostile-") {
				t.Errorf("%s: pion refuses it: %v", name, err)
			}
		}
	}
}

// giveToPion does with an offer what a connection does.
func giveToPion(t *testing.T, text string) (err error) {
	t.Helper()
	e, err := engine.New(engine.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	api, err := e.API(engine.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.GracefulClose() }() // the test is over with it
	defer recoverPanic(&err, slog.New(slog.DiscardHandler))
	if text, err = translated(text); err != nil {
		return err
	}
	if err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
		return err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	_, err = inspectText(answer.SDP)
	return err
}

// translated returns an offer as pion is given it.
func translated(text string) (string, error) {
	s, err := parseDescription(text)
	if err != nil {
		return "", err
	}
	if _, err = payloads.New().Remote(s); err != nil {
		return "", err
	}
	return marshalDescription(s)
}

func FuzzDescription(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := guarded(text)
		if err != nil {
			if strings.Contains(err.Error(), "panic") {
				t.Fatal(err) // caught, but to be mended
			}
			return
		}
		if _, err := translated(text); err != nil && !errors.Is(err, fault.Description) {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for _, mid := range d.sections {
			if seen[mid] {
				t.Fatalf("mid %q twice", mid)
			}
			seen[mid] = true
		}
		if n := len(d.sections); n < 1 || n > signal.MaxSections || d.ufrag == "" || len(d.rejected) != n {
			t.Fatalf("%d sections, ufrag %q", n, d.ufrag)
		}
	})
}

func FuzzCandidates(f *testing.F) {
	for _, candidate := range []string{
		"candidate:1 1 udp 2122260223 192.0.2.1 49203 typ host generation 0 ufrag EsAw network-id 1",
		"candidate:0 1 UDP 2122252543 6f1c8a9e-0f63-4f0e-9a38-2d2f4b6f3a10.local 49231 typ host",
		"candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.1 rport 46154",
		"candidate:1 1 tcp 1518280447 2001:db8::1 9 typ host tcptype active",
		"", "candidate:", "x", "candidate:1 1 udp 1 ::1%eth0 9 typ relay", "candidate:1 1 udp 99999999999999999999 x 99999 typ typ typ",
		"candidate:1 1 udp 1 192.0.2.1 9 typ host raddr", "candidate:\x00 1 udp 1 \u202e 9 typ host",
	} {
		body, err := json.Marshal(&signal.Candidates{Ufrag: "u", Candidates: []signal.Candidate{{Candidate: candidate, SDPMid: "0"}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var b signal.Candidates
		if signal.DecodeBody(body, &b) != nil {
			return
		}
		if n := len(b.Candidates); n < 1 || n > signal.MaxCandidates {
			t.Fatalf("%d candidates", n)
		}
		for _, c := range b.Candidates {
			if len(c.Candidate) > signal.MaxCandidate || len(c.SDPMid) > signal.MaxLabel {
				t.Fatalf("a candidate of %d bytes", len(c.Candidate))
			}
			_ = diagnose.TypeOf(c.Candidate)
			_, _ = ice.UnmarshalCandidate(c.Candidate) // what pion makes of it; it must not panic
		}
	})
}
