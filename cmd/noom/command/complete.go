package command

import (
	"flag"
	"os"
	"slices"
	"strings"
)

// Files among the candidates of Complete stands for the names of files.
const Files = ":files"

// What the usage of a flag may say of its value, for completion: one or more of these or of the values themselves,
// with spaces between.
const (
	FileValue     = "FILE"
	VariableValue = "VARIABLE" // of the environment
)

// Complete returns what the last of words may become, which a shell has between the program's name and its cursor.
func (c Command) Complete(words []string) []string {
	last := len(words) - 1
	if last < 0 {
		return nil
	}
	typed, before := words[last], words[:last]
	for c.Subs != nil && len(before) > 0 {
		sub, ok := c.Sub(before[0])
		if !ok {
			return nil
		}
		c, before = sub, before[1:]
	}
	if c.Subs != nil {
		var all []string
		for _, s := range c.Subs {
			if !s.Hidden {
				all = append(all, s.word())
			}
		}
		return fitting(all, typed)
	}
	return fitting(c.behind(before, typed), typed)
}

// behind returns what may stand behind the words before.
func (c Command) behind(before []string, typed string) []string {
	flags := NewFlags()
	if c.Flags != nil {
		flags = c.Flags()
	}
	if len(before) > 0 {
		if f := flagOf(flags, before[len(before)-1]); f != nil && !isSwitch(f) {
			return valuesOf(f)
		}
	}
	if strings.HasPrefix(typed, "-") {
		var all []string
		flags.VisitAll(func(f *flag.Flag) { all = append(all, "-"+f.Name) })
		return append(all, "-help")
	}
	place := 0 // among the arguments that are no flags
	for i := 0; i < len(before); i++ {
		f := flagOf(flags, before[i])
		switch {
		case f != nil && !isSwitch(f):
			i++ // its value
		case !strings.HasPrefix(before[i], "-"):
			place++
		}
	}
	if place < len(c.Words) {
		return c.Words[place]
	}
	return nil
}

// flagOf returns the flag that a word is, if it has no value in it.
func flagOf(flags *flag.FlagSet, word string) *flag.Flag {
	name, ok := strings.CutPrefix(strings.Replace(word, "--", "-", 1), "-")
	if !ok {
		return nil
	}
	return flags.Lookup(name)
}

// isSwitch reports whether a flag needs no value.
func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// valuesOf returns what a flag may be.
func valuesOf(f *flag.Flag) (values []string) {
	for word := range strings.FieldsSeq(f.Usage) {
		switch word {
		case FileValue:
			values = append(values, Files)
		case VariableValue:
			for _, entry := range os.Environ() {
				name, _, _ := strings.Cut(entry, "=")
				values = append(values, name)
			}
		default:
			values = append(values, word)
		}
	}
	return values
}

// fitting returns those that begin with what is typed, sorted.
func fitting(all []string, typed string) []string {
	var fit []string
	for _, one := range all {
		if one == Files || strings.HasPrefix(one, typed) {
			fit = append(fit, one)
		}
	}
	slices.Sort(fit)
	return slices.Compact(fit)
}
