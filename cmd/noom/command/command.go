// Package command is what noom's commands and the examples that are one of them have in common: how a command is
// described, how its arguments are read, and how it fails.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"

	wire "noom/signal"
)

// A Command is a program, or one of the words behind its name.
type Command struct {
	Name    string // as a user types it, such as "noom serve": its last word is what stands behind a parent's
	Summary string // what it does, in a few words
	Usage   string // what -help prints; empty: what the parent's does
	Hidden  bool   // it is not for people
	// Subs are the commands behind this one; then it does nothing itself.
	Subs []Command
	// Flags are for completion, and for tests of Usage; nil: there are none.
	Flags func() *flag.FlagSet
	// Words are what may stand in place of each argument that is not a flag, for completion.
	Words [][]string
	// Do is called with what stands behind the command's name. It ends with ctx. Its error is one line; one of
	// [Wrong] is about the arguments.
	Do func(ctx context.Context, args []string, io Streams) error
}

// Streams are what a program reads and prints to.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs a command as the program, until it ends or until the program is interrupted, which ends its context.
func Main(c Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := c.Run(ctx, os.Args[1:], Streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// The exit codes of a command.
const (
	codeGood   = 0
	codeFailed = 1
	codeWrong  = 2
)

// Run finds the command that args name, does it, and returns the exit code: 0 if it went well, 1 if it failed, 2 if
// the arguments cannot be right. What is wrong is one line on streams.Err.
func (c Command) Run(ctx context.Context, args []string, streams Streams) int {
	c, args, err := c.find(args)
	if err == nil {
		err = c.Do(ctx, args, streams)
	}
	switch {
	case err == nil:
		return codeGood
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprint(streams.Out, c.Usage) // to nobody, if it is not read
		return codeGood
	}
	_, _ = fmt.Fprintf(streams.Err, "%s: %s\n", c.Name, wire.Printable(err.Error())) // to nobody, if it is not read
	if _, ok := errors.AsType[wrongError](err); ok {
		return codeWrong
	}
	return codeFailed
}

// find follows the words of args down to a command that does something.
func (c Command) find(args []string) (Command, []string, error) {
	for c.Subs != nil {
		if len(args) == 0 {
			return c, nil, Wrong("want %s", c.words())
		}
		if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
			if len(args) == 1 {
				return c, nil, flag.ErrHelp
			}
			args = []string{args[1], "-help"} // help WORD is WORD -help
		}
		sub, ok := c.Sub(args[0])
		if !ok {
			return c, nil, Wrong("there is no command %q, only %s", args[0], c.words())
		}
		c, args = sub, args[1:]
	}
	return c, args, nil
}

// Sub returns the command behind c that has that word.
func (c Command) Sub(word string) (Command, bool) {
	i := slices.IndexFunc(c.Subs, func(s Command) bool { return s.word() == word })
	if i < 0 {
		return Command{}, false
	}
	sub := c.Subs[i]
	if sub.Usage == "" {
		sub.Usage = c.Usage
	}
	return sub, true
}

// word is the last word of the command's name.
func (c Command) word() string { return c.Name[strings.LastIndexByte(c.Name, ' ')+1:] }

// words lists what may stand behind the command.
func (c Command) words() string {
	var words []string
	for _, s := range c.Subs {
		if !s.Hidden {
			words = append(words, s.word())
		}
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// wrongError says which argument cannot be right.
type wrongError struct{ text string }

func (e wrongError) Error() string { return e.text + " (-help says what there is)" }

// Wrong is an error about the arguments.
func Wrong(format string, args ...any) error { return wrongError{fmt.Sprintf(format, args...)} }

// NewFlags returns an empty set of flags, which prints nothing by itself.
func NewFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// refusedValue is how package flag quotes a value that it refuses.
var refusedValue = regexp.MustCompile(`(?s)^invalid value ".*@.*" for flag `)

// withoutPassword takes a value out of an error if it may be a URL with a password.
func withoutPassword(text string) string {
	return refusedValue.ReplaceAllString(text, "invalid value for flag ")
}

// Parse reads flags and, before or behind them, one argument for each name of wanted, which it returns. Asked for
// help it returns [flag.ErrHelp]; its other errors are of [Wrong].
func Parse(flags *flag.FlagSet, args []string, wanted ...string) (values []string, err error) {
	for {
		err := flags.Parse(args)
		rest := flags.Args()
		switch {
		case errors.Is(err, flag.ErrHelp):
			return nil, err
		case err != nil:
			return nil, Wrong("%s", withoutPassword(strings.Replace(err.Error(), "flag provided but not defined: ", "there is no flag ", 1)))
		}
		if ended := len(args) - len(rest) - 1; ended >= 0 && args[ended] == "--" {
			values, rest = append(values, rest...), nil // no flags behind that
		}
		if len(rest) == 0 {
			break
		}
		values, args = append(values, rest[0]), rest[1:]
	}
	switch {
	case len(values) > len(wanted):
		return nil, Wrong("unexpected argument %q", values[len(wanted)])
	case len(values) < len(wanted):
		return nil, Wrong("%s is missing", wanted[len(values)])
	}
	return values, nil
}
