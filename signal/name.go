package signal

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Errors of [CheckName] and [CheckRoom].
var (
	ErrNameTooLong = fmt.Errorf("longer than %d bytes", MaxName)
	ErrNameUTF8    = errors.New("not valid UTF-8")
	ErrNameForm    = errors.New("not in Unicode normal form C")
	ErrNameRune    = errors.New("holds a control, bidi or line-breaking character")
	ErrNameSpace   = errors.New("has space at an end")
	ErrNameEmpty   = errors.New("empty")
)

// CleanName puts a nickname or room name as a person typed it into the
// protocol's form: normal form C, without space at either end. What breaks
// another rule is left for [CheckName] to refuse.
func CleanName(s string) string {
	return norm.NFC.String(strings.TrimSpace(s))
}

// CheckName says what is wrong with a nickname, nil if nothing is. Names in
// any script are fine; the empty one is too.
func CheckName(s string) error {
	switch {
	case len(s) > MaxName:
		return fmt.Errorf("name of %d bytes: %w", len(s), ErrNameTooLong)
	case !utf8.ValidString(s):
		return fmt.Errorf("name: %w", ErrNameUTF8)
	case !norm.NFC.IsNormalString(s):
		return fmt.Errorf("name %q: %w", s, ErrNameForm)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("name %q: %w", s, ErrNameSpace)
	}
	for _, r := range s {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) && r != zwj && r != zwnj {
			return fmt.Errorf("name %q: %w", s, ErrNameRune)
		}
	}
	return nil
}

// Both reorder nothing: one joins emoji such as families, the other keeps
// letters apart in Persian and other scripts.
const (
	zwj  = '\u200d'
	zwnj = '\u200c'
)

// CheckRoom says what is wrong with a room's name: as [CheckName], and not empty.
func CheckRoom(s string) error {
	if s == "" {
		return fmt.Errorf("room name: %w", ErrNameEmpty)
	}
	return CheckName(s)
}
