// Command noom is all of noom for a terminal:
//
//	noom serve                            # a page for calls and its hub, on http://localhost:8080
//	noom join -room demo -name gopher     # be in a call, with a test picture, files or a camera
//	noom record -room demo                # write a call into a WebM file
//	noom diagnose ws://localhost:8080/ws demo
//	noom token sign -key hub.pem …        # make keys, and the tokens that let members in
//
// Each word has its own -help. Cameras need cgo and -tags capture, as in noom/media/capture.
package main

import (
	"fmt"
	"strings"

	"noom/cmd/noom/command"
	"noom/cmd/noom/diagnose"
	"noom/cmd/noom/join"
	"noom/cmd/noom/record"
	"noom/cmd/noom/serve"
	"noom/cmd/noom/token"
	"noom/examples/browser-server/page"
)

func main() { command.Main(program()) }

func program() command.Command {
	c := command.Command{Name: "noom", Subs: []command.Command{
		serve.Command("noom serve", page.Files), join.Command("noom join"), record.Command(), diagnose.Command(),
		token.Command(), completionCommand(), versionCommand(), completeCommand(),
	}}
	var usage strings.Builder
	_, _ = usage.WriteString("noom is rooms and calls for a terminal.\n\n")
	for _, sub := range c.Subs {
		if !sub.Hidden {
			_, _ = fmt.Fprintf(&usage, "  %-16s %s\n", sub.Name, sub.Summary)
		}
	}
	_, _ = usage.WriteString("\nnoom WORD -help says more of each.\n")
	c.Usage = usage.String()
	return c
}
