package files

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"noom/signal"
)

const (
	unnamed = "file" // what a name becomes of which nothing is left
	maxKind = 16     // bytes in what follows the last dot, which is kept when a name is cut
)

// CleanName makes a name for a file that every system takes of any text: what is behind the last slash, in normal form C,
// without control and invisible characters. Those that a system gives a meaning become _. A name neither begins with a dot
// or hyphen nor ends with a dot or space, is none of a device, and has 1 to MaxName bytes. Names in any script are fine.
// It is made again by the receiver, because a sender may send anything.
func CleanName(name string) string {
	name = strings.ToValidUTF8(name, "�")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '\u200c' || r == '\u200d': // scripts and emoji need them
			return r
		case r < ' ' || r == 0x7f || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
			return -1
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		}
		return r
	}, name)
	name = cut(trimName(name), MaxName-1) // a device's grows by one
	if isDevice(name) {
		name = "_" + name
	}
	if name == "" {
		return unnamed
	}
	return name
}

func trimName(name string) string {
	return strings.TrimRight(strings.TrimLeft(signal.CleanName(name), " .-"), " .")
}

// cut shortens a name to so many bytes, at a whole character, and keeps what it says of the kind of file.
func cut(name string, most int) string {
	if len(name) <= most {
		return name
	}
	kind := ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && len(name)-dot <= maxKind {
		name, kind = name[:dot], name[dot:]
	}
	end := most - len(kind)
	if end < len(name) {
		for !utf8.RuneStart(name[end]) {
			end--
		}
		name = name[:end]
	}
	return strings.TrimRight(name, " .") + kind
}

// isDevice reports whether Windows takes a name for that of a device.
func isDevice(name string) bool {
	name, _, _ = strings.Cut(name, ".")
	name = strings.ToUpper(strings.TrimRight(name, " "))
	switch name {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(name) == 4 && (strings.HasPrefix(name, "COM") || strings.HasPrefix(name, "LPT")) && name[3] >= '0' && name[3] <= '9'
}
