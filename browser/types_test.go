package browser_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"noom/internal/browsertest"
	"noom/internal/longtest"
)

// typescript is the compiler that noom.d.ts is held to.
const typescript = "typescript@5.9.3"

// The types, as strict as they can be, over code that uses all of them.
func TestTypes(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	npm, err := exec.LookPath("npm")
	if err != nil {
		browsertest.Without(t, "NO NPM: noom.d.ts is not checked; install Node 20 or later with npm")
	}
	tsc := func(args ...string) ([]byte, error) {
		args = append([]string{"exec", "--yes", "--prefer-offline", "--package=" + typescript, "--", "tsc"}, args...)
		return exec.CommandContext(t.Context(), npm, args...).CombinedOutput()
	}
	out, err := tsc("--version")
	if err != nil {
		browsertest.Without(t, fmt.Sprintf("NO TYPESCRIPT: noom.d.ts is not checked; npm could not fetch %s: %v\n%s", typescript, err, out))
	}
	out, err = tsc("--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess",
		"--target", "es2022", "--lib", "es2022,dom,dom.iterable,dom.asynciterable", "--module", "nodenext",
		"noom.d.ts", "test/usage.ts")
	if err != nil {
		t.Errorf("%v\n%s", err, strings.TrimSpace(string(out)))
	}
}
