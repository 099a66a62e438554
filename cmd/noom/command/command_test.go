package command

import (
	"bytes"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Flags may stand before and behind the other arguments.
func TestParse(t *testing.T) {
	for args, want := range map[string][]string{
		"URL ROOM":                {"URL", "ROOM", "", "false"},
		"-name 지우 URL ROOM":       {"URL", "ROOM", "지우", "false"},
		"URL -json ROOM -name 지우": {"URL", "ROOM", "지우", "true"},
		"-json -- URL -name":      {"URL", "-name", "", "true"},
	} {
		flags := NewFlags()
		name, json := flags.String("name", "", ""), flags.Bool("json", false, "")
		values, err := Parse(flags, strings.Fields(args), "URL", "ROOM")
		got := append(values, *name, map[bool]string{true: "true", false: "false"}[*json])
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", args, got, err, want)
		}
	}
	for args, says := range map[string]string{
		"URL": "ROOM is missing", "URL ROOM 방": `unexpected argument "방"`, "URL ROOM -nope": "there is no flag -nope", "-json=maybe URL ROOM": "-json",
	} {
		flags := NewFlags()
		flags.Bool("json", false, "")
		_, err := Parse(flags, strings.Fields(args), "URL", "ROOM")
		if _, ok := errors.AsType[wrongError](err); !ok || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", args, err, says)
		}
	}
	if _, err := Parse(NewFlags(), []string{"URL", "-help"}, "URL"); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("asked for help: %v", err)
	}
}

// What takes less than two seconds says nothing; what takes long says how far it is, on a terminal in the same line.
func TestProgress(t *testing.T) {
	for _, test := range []struct {
		terminal bool
		want     string
	}{
		{false, "2 방\nover\n"},
		{true, again + "2 방" + again + "3 방" + again + "4 방" + again + "over\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			p := NewProgress(&out)
			p.terminal = test.terminal
			for second := range 5 {
				for range 3 {
					p.Show("%d 방", second)
				}
				time.Sleep(time.Second)
			}
			p.Say("over")
			if !test.terminal {
				time.Sleep(8 * time.Second)
				p.Show("13 방")
				test.want += "13 방\n"
			}
			if out.String() != test.want {
				t.Errorf("it says %q, want %q", &out, test.want)
			}
		})
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1536: "1.5 KiB", 3 << 20: "3.0 MiB", 5 << 29: "2.50 GiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
