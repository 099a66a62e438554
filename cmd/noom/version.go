package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"noom/cmd/noom/command"
	"noom/transport/ws"
)

func versionCommand() command.Command {
	return command.Command{
		Name: "noom version", Summary: "say which noom this is",
		Usage: "noom version says which noom this is, what it was built with, and which protocol it speaks.\n",
		Do: func(_ context.Context, args []string, streams command.Streams) error {
			if _, err := command.Parse(command.NewFlags(), args); err != nil {
				return err
			}
			build, _ := debug.ReadBuildInfo() // with a nil one there is only less to say
			_, err := fmt.Fprintln(streams.Out, version(build))
			return err
		},
	}
}

// version is one line about a build.
func version(build *debug.BuildInfo) string {
	module, commit, changed := "", "", ""
	if build != nil {
		module = build.Main.Version
		for _, s := range build.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = ", commit " + s.Value[:min(len(s.Value), 12)]
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = " with changes"
			}
		}
	}
	return fmt.Sprintf("noom %s%s%s, protocol %s, %s on %s/%s", cmp.Or(module, "(devel)"), commit, changed, ws.Subprotocol,
		runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
