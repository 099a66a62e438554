// Command plots draws what a call does when its link becomes narrow for a while: how much is sent and how late it is,
// as two SVG files for docs/quality.md. README.md of the folder above says how to run it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func main() {
	out := flag.String("out", "../docs", "the folder to write quality-rate.svg and quality-delay.svg to")
	seed := flag.Uint64("seed", 1, "what the sizes of pictures are drawn from, in the first call")
	flag.Parse()

	// Virtual time exists only inside a test, so this program runs one as go test would. testing.Main needs no go
	// command and no second package; it ends the program, with 1 if the test has failed.
	testing.Main(regexp.MatchString, []testing.InternalTest{{Name: "plots", F: func(t *testing.T) {
		call := typical(t, *seed)
		fmt.Print(call.summary)
		for name, c := range map[string]chart{"quality-rate.svg": rateChart(), "quality-delay.svg": delayChart()} {
			if err := os.WriteFile(filepath.Join(*out, name), c.svg(call.samples), 0o644); err != nil {
				t.Error(err)
			}
		}
	}}}, nil, nil)
}
