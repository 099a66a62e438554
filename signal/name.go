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
	ErrNameRune    = errors.New("holds a control, bidi, line-breaking or invisible character")
	ErrNameSpace   = errors.New("has space at an end, twice in a row, or another one than U+0020")
	ErrNameMarks   = fmt.Errorf("begins with a combining mark, or has more than %d in a row", maxMarks)
	ErrNameEmpty   = errors.New("empty")
)

// CleanName puts a nickname or room name as a person typed it into the
// protocol's form: normal form C, without space at either end, and one plain space
// wherever there was space of any kind inside. What breaks another rule is left for
// [CheckName] to refuse.
func CleanName(s string) string {
	s = norm.NFC.String(strings.TrimSpace(s))
	if isPlain(s) && !strings.Contains(s, "  ") {
		return s
	}
	var b strings.Builder
	spaced := false
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if space := unicode.Is(unicode.Zs, r); !space {
			b.WriteString(s[i : i+size]) // bytes that are no UTF-8 stay what they are
			spaced = false
		} else if !spaced {
			b.WriteByte(' ')
			spaced = true
		}
		i += size
	}
	return b.String()
}

// CheckName says what is wrong with a nickname, nil if nothing is. Names in any script are fine;
// the empty one is too. Invisible characters are refused, so that two names that differ look
// different, except where a script or an emoji needs them (PROTOCOL.md section 1).
func CheckName(s string) error {
	if len(s) > MaxName {
		return fmt.Errorf("name of %d bytes: %w", len(s), ErrNameTooLong)
	}
	return checkText(s)
}

// CheckAccount says what is wrong with a member's account, nil if nothing is: up to 256 bytes under the rules of names, without
// the characters " and \. The empty one is fine.
func CheckAccount(s string) error {
	switch {
	case len(s) > MaxAccount:
		return fmt.Errorf("account of %d bytes: longer than %d bytes", len(s), MaxAccount)
	case strings.ContainsAny(s, `"\`): // a joined frame with many has no room for what JSON makes of them
		return errors.New("account: holds a quotation mark or a backslash")
	}
	return checkText(s)
}

// checkText is CheckName without a bound.
func checkText(s string) error {
	switch {
	case !utf8.ValidString(s):
		return fmt.Errorf("name: %w", ErrNameUTF8)
	case !norm.NFC.IsNormalString(s):
		return fmt.Errorf("name %q: %w", s, ErrNameForm)
	case CleanName(s) != s:
		return fmt.Errorf("name %q: %w", s, ErrNameSpace)
	case isPlain(s):
		return nil
	}
	if err := checkRunes([]rune(s)); err != nil {
		return fmt.Errorf("name %q: %w", s, err)
	}
	return nil
}

// isPlain reports whether s is of printable ASCII characters alone.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// CheckRoom says what is wrong with a room's name: as [CheckName], and not empty.
func CheckRoom(s string) error {
	if s == "" {
		return fmt.Errorf("room name: %w", ErrNameEmpty)
	}
	return CheckName(s)
}
