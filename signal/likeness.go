package signal

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Likeness returns the same for two names that a reader may take for one another: compatibility
// forms, case, what is not drawn, and letters of other scripts that look like Latin ones do not
// count. It is not for display. It distinguishes names where one of them is reserved, as hub.Grant
// gives it.
func Likeness(name string) string {
	drawn := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return r
	}, name)
	return likeLetters.Replace(norm.NFKC.String(cases.Fold().String(norm.NFKC.String(drawn))))
}

// likeLetters has the letters, folded, that most fonts draw as another one. It is no table of
// all that can be confused (UTS #39).
var likeLetters = strings.NewReplacer(
	"а", "a", "в", "b", "с", "c", "ԁ", "d", "е", "e", "һ", "h", "і", "l", "ј", "j", "к", "k", "м", "m", "н", "h", "о", "o", "р", "p",
	"ѕ", "s", "т", "t", "у", "y", "х", "x", "ԛ", "q", "ԝ", "w",
	"α", "a", "β", "b", "ε", "e", "η", "n", "ι", "l", "κ", "k", "ν", "v", "ο", "o", "ρ", "p", "τ", "t", "υ", "u", "χ", "x", "ζ", "z",
	"i", "l", "ı", "l", "1", "l", "|", "l", "0", "o",
)
