package signal

import "unicode"

// This file is which characters a name may have where, by the words of PROTOCOL.md
// section 1. noom.js has the same rules in name.js; testdata/names.json and
// testdata/cleaned.json hold them together.

// maxMarks is how many marks that take no space may follow one another. No script that
// is written today needs more; what has more grows over the lines above and below.
const maxMarks = 4

const (
	zwj      = '\u200d' // makes one emoji of several, and shapes letters of some scripts
	zwnj     = '\u200c' // keeps letters apart in Persian and other scripts
	flagRune = '\U0001f3f4'
)

// hiddenRunes has what no category covers: fillers, selectors and other characters that are not drawn,
// blanks, and what is no character but at the ends of planes.
var hiddenRunes = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x034f, 0x034f, 1},
		{0x115f, 0x1160, 1},
		{0x17b4, 0x17b5, 1},
		{0x180b, 0x180f, 1},
		{0x2065, 0x2065, 1},
		{0x2800, 0x2800, 1},
		{0x3164, 0x3164, 1},
		{0xfdd0, 0xfdef, 1},
		{0xfe00, 0xfe0f, 1},
		{0xffa0, 0xffa0, 1},
		{0xfff0, 0xfff8, 1},
		{0xfffc, 0xfffc, 1},
	},
	R32: []unicode.Range32{{0x16fe4, 0x16fe4, 1}, {0x1d159, 0x1d159, 1}, {0xe0000, 0xe0fff, 1}},
}

// isNoncharacter reports what ends a plane of Unicode; the others are in hiddenRunes.
func isNoncharacter(r rune) bool { return r&0xfffe == 0xfffe }

// emoji are the blocks that emoji are from, but for their modifiers and for the
// letters that flags are made of.
var emoji = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x00a9, 0x00ae, 5},
		{0x203c, 0x203c, 1},
		{0x2049, 0x2049, 1},
		{0x2122, 0x2122, 1},
		{0x2139, 0x2139, 1},
		{0x2190, 0x21ff, 1},
		{0x2300, 0x23ff, 1},
		{0x2460, 0x24ff, 1},
		{0x25a0, 0x27bf, 1},
		{0x2900, 0x297f, 1},
		{0x2b00, 0x2bff, 1},
		{0x3030, 0x3030, 1},
		{0x303d, 0x303d, 1},
		{0x3297, 0x3297, 1},
		{0x3299, 0x3299, 1},
	},
	R32:         []unicode.Range32{{0x1f000, 0x1f1e5, 1}, {0x1f200, 0x1f3fa, 1}, {0x1f400, 0x1faff, 1}},
	LatinOffset: 1,
}

// joiningScripts are the scripts in which a joiner between two letters changes what is drawn.
var joiningScripts = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mongolian, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi,
	unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala,
	unicode.Khmer, unicode.Myanmar, unicode.Balinese, unicode.Javanese,
}

// viramas take the vowel from a letter; with a joiner behind it that is drawn otherwise,
// at the end of a word too.
const viramas = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"

// flags are those that are made of a black flag and tags (UTS #51): of England, Scotland
// and Wales.
var flags = [...]string{"gbeng", "gbsct", "gbwls"}

// checkRunes checks a name in normal form C.
func checkRunes(name []rune) error {
	marks := 0
	for i := 0; i < len(name); i++ {
		r := name[i]
		if r == flagRune {
			i += tags(name[i+1:])
		}
		switch {
		case r == zwj || r == zwnj:
			if !joinsNeighbours(name, i) {
				return ErrNameRune
			}
			continue
		case unicode.Is(hiddenRunes, r) || isNoncharacter(r):
			if !showsSelector(name, i) {
				return ErrNameRune
			}
			continue
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
			return ErrNameRune
		case i == 0 && unicode.IsMark(r):
			return ErrNameMarks
		case !unicode.In(r, unicode.Mn, unicode.Me):
			marks = 0
		default:
			if marks++; marks > maxMarks {
				return ErrNameMarks
			}
		}
	}
	return nil
}

// tags is how many of the characters behind a black flag belong to it.
func tags(behind []rune) int {
	for _, region := range flags {
		n := len(region) + 1
		if len(behind) < n || behind[n-1] != 0xe007f {
			continue
		}
		same := true
		for i := range region {
			same = same && behind[i] == 0xe0000+rune(region[i])
		}
		if same {
			return n
		}
	}
	return 0
}

// joinsNeighbours reports whether the joiner at i changes how its neighbours are drawn: between
// two emoji, between letters of a script that joins them, or behind a virama.
func joinsNeighbours(name []rune, i int) bool {
	before, after := runeAt(name, i-1), runeAt(name, i+1)
	if name[i] == zwj {
		for _, v := range viramas {
			if before == v {
				return true
			}
		}
		if unicode.Is(emoji, after) && unicode.Is(emoji, emojiBefore(name, i)) {
			return true
		}
	}
	if !unicode.In(before, unicode.L, unicode.M) {
		return false
	}
	letter := i - 1
	for letter > 0 && unicode.Is(unicode.M, name[letter]) {
		letter--
	}
	for _, script := range joiningScripts {
		if unicode.Is(script, name[letter]) {
			return unicode.Is(script, after) && unicode.In(after, unicode.L, unicode.M)
		}
	}
	return false
}

// emojiBefore is what stands before i, or before the one modifier there, of skin or style.
func emojiBefore(name []rune, i int) rune {
	if m := runeAt(name, i-1); m == 0xfe0f || m >= 0x1f3fb && m <= 0x1f3ff {
		i--
	}
	return runeAt(name, i-1)
}

// showsSelector reports whether the character at i, which is not drawn as such, has something to
// do there: a variation of an emoji, a keycap, a Han or Mongolian letter, or a blank
// between two characters of Braille.
func showsSelector(name []rune, i int) bool {
	before, after := runeAt(name, i-1), runeAt(name, i+1)
	switch r := name[i]; {
	case r == 0x2800:
		return isBraille(before) && isBraille(after)
	case r == 0xfe0e || r == 0xfe0f:
		keycap := before == '#' || before == '*' || before >= '0' && before <= '9'
		return unicode.Is(emoji, before) || keycap && r == 0xfe0f && after == 0x20e3
	case r >= 0xfe00 && r <= 0xfe02 || r >= 0xe0100 && r <= 0xe01ef:
		return unicode.Is(unicode.Han, before)
	case r >= 0x180b && r <= 0x180d || r == 0x180f:
		return unicode.Is(unicode.Mongolian, before) && unicode.IsLetter(before)
	default:
		return false
	}
}

func isBraille(r rune) bool { return r > 0x2800 && r <= 0x28ff }

// runeAt is the i-th character, -1 if there is none.
func runeAt(name []rune, i int) rune {
	if i < 0 || i >= len(name) {
		return -1
	}
	return name[i]
}
