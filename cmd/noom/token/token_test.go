package token

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noom/cmd/noom/command"
)

func noomToken(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	code = Command().Run(context.Background(), args, command.Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs})
	return code, out.String(), errs.String()
}

func TestKeySignCheck(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct{ kind, out, check string }{
		{"-secret=false", filepath.Join(dir, "hub.pem"), filepath.Join(dir, "hub.pub.pem")},
		{"-secret", filepath.Join(dir, "비밀"), filepath.Join(dir, "비밀")},
	} {
		if code, out, errs := noomToken("", "key", test.kind, "-out", test.out); code != 0 || !strings.Contains(out, test.out) {
			t.Fatalf("key: %d %s%s", code, out, errs)
		}
		if info, err := os.Stat(test.out); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key's mode: %v (%v)", info.Mode(), err)
		}
		if code, _, errs := noomToken("", "key", test.kind, "-out", test.out); code != 1 || !strings.Contains(errs, "is there already") {
			t.Errorf("a key written over: %d %s", code, errs)
		}
		code, text, errs := noomToken("", "sign", "-key", test.out, "-room", "교실", "-subject", "u1", "-account", "길동", "-name", "지우", "-rights", "chat, kick", "-expires", "90m")
		if code != 0 || errs != "" {
			t.Fatalf("sign: %d %s", code, errs)
		}
		code, out, errs := noomToken(text, "check", "-key", test.check)
		if code != 0 || !strings.Contains(out, "room \"교실\"\nsubject \"u1\"\naccount \"길동\"\nname \"지우\"\nrights chat kick\nid \"") {
			t.Errorf("check: %d %s%s", code, out, errs)
		}
		if code, _, errs := noomToken(text[:len(text)-9]+"\n", "check", "-key", test.check); code != 1 || !strings.Contains(errs, "is no good") {
			t.Errorf("check of half a token: %d %s", code, errs)
		}
	}
	key, err := os.ReadFile(filepath.Join(dir, "hub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOOM_KEY", string(key))
	if code, _, errs := noomToken("", "sign", "-key-env", "NOOM_KEY", "-room", "r"); code != 0 {
		t.Errorf("a key from the environment: %s", errs)
	}
	_, watcher, _ := noomToken("", "sign", "-key-env", "NOOM_KEY", "-room", "r", "-rights", "none")
	if _, out, errs := noomToken(watcher, "check", "-key-env", "NOOM_KEY"); !strings.Contains(out, "\nrights none\n") {
		t.Errorf("check of a token without rights: %s%s", out, errs)
	}
	if err := os.Chmod(filepath.Join(dir, "hub.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, errs := noomToken("", "sign", "-key", filepath.Join(dir, "hub.pem"), "-room", "r"); !strings.Contains(errs, "chmod 600") {
		t.Errorf("no warning of an open key: %q", errs)
	}
	if code, _, errs := noomToken("", "sign", "-key", filepath.Join(dir, "hub.pub.pem"), "-room", "r"); code != 1 || !strings.Contains(errs, "the private one") {
		t.Errorf("signed with the public key: %d %s", code, errs)
	}
}

func TestArguments(t *testing.T) {
	for says, args := range map[string][]string{
		"want key, sign or check":        {},
		`there is no command "mint"`:     {"mint"},
		"-out says where":                {"key"},
		"-key FILE or -key-env VARIABLE": {"sign", "-room", "r"},
		"-room says which":               {"sign", "-key", "x"},
		`there is no "fly"`:              {"sign", "-key", "x", "-room", "r", "-rights", "chat,fly"},
		"-expires must be above 0":       {"sign", "-key", "x", "-room", "r", "-expires", "-1h"},
		"there is no flag -sub":          {"sign", "-sub", "x"},
		`unexpected argument "extra"`:    {"check", "-key", "x", "extra"},
	} {
		if code, out, errs := noomToken("", args...); code != 2 || out != "" || !strings.Contains(errs, says) {
			t.Errorf("%q: %d %s%s, want %q", args, code, out, errs, says)
		}
	}
	for says, args := range map[string][]string{
		"no such file":                     {"sign", "-key", "/nowhere", "-room", "r"},
		"the environment has no NOOM_NONE": {"check", "-key-env", "NOOM_NONE"},
	} {
		if code, _, errs := noomToken("", args...); code != 1 || !strings.Contains(errs, says) {
			t.Errorf("%q: %d %s, want %q", args, code, errs, says)
		}
	}
	for _, help := range [][]string{{"-help"}, {"help"}, {"sign", "-h"}} {
		if code, out, _ := noomToken("", help...); code != 0 || out != usage {
			t.Errorf("%q: %d %s", help, code, out)
		}
	}
}
