package questions

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// Bounds of the protocol.
const (
	MaxSize  = 1 << 20 // bytes in a question, and in an answer
	MaxTopic = 128     // bytes
	MaxCode  = 64      // characters
	MaxText  = 1024    // bytes
)

// Kinds of pieces.
const (
	kindQuestion     = 1
	kindQuestionMore = 2
	kindUnwanted     = 3
	kindAnswer       = 4
	kindAnswerMore   = 5
	kindRefusal      = 6
)

const (
	pieceHead = 5        // bytes: the kind and the id
	pieceSize = 16 << 10 // bytes of a question or an answer in one piece
)

// ID names a question among those of one member.
type ID uint32

// Refusal is the end of a question that gets no answer.
type Refusal struct {
	Code string // 1 to 64 of a-z, 0-9 and _
	Text string // for people
}

// Codes that are not the application's own.
const (
	CodeNotHandled  = "not_handled"
	CodeBusy        = "busy"
	CodeCancelled   = "cancelled"
	CodeTooBig      = "too_big"
	CodeBadQuestion = "bad_question"
	CodeFailed      = "failed"
)

// ErrPiece is what the other end has done if it breaks the rules.
var ErrPiece = errors.New("a piece of a question or an answer breaks the rules")

// piece is a piece in parts. What its kind does not have is zero.
type piece struct {
	kind  byte
	id    ID
	size  uint32
	topic string
	code  string
	rest  []byte // bytes of the question or answer, or the text of a refusal
}

func (p *piece) encode() []byte {
	b := binary.BigEndian.AppendUint32([]byte{p.kind}, uint32(p.id))
	switch p.kind {
	case kindQuestion:
		b = binary.BigEndian.AppendUint32(b, p.size)
		b = append(append(b, byte(len(p.topic))), p.topic...)
	case kindAnswer:
		b = binary.BigEndian.AppendUint32(b, p.size)
	case kindRefusal:
		b = append(append(b, byte(len(p.code))), p.code...)
	}
	return append(b, p.rest...)
}

// decode checks what can be checked without knowing other pieces. known is false for a kind of a later version.
func decode(b []byte) (p piece, known bool, err error) {
	if len(b) < pieceHead {
		return piece{}, false, ErrPiece
	}
	p = piece{kind: b[0], id: ID(binary.BigEndian.Uint32(b[1:]))}
	b = b[pieceHead:]
	ok := true
	switch p.kind {
	case kindQuestion:
		if p.size, b, ok = cutSize(b); ok {
			p.topic, p.rest, ok = cutText(b, MaxTopic)
		}
		ok = ok && utf8.ValidString(p.topic) && len(p.rest) <= int(p.size)
	case kindAnswer:
		p.size, p.rest, ok = cutSize(b)
		ok = ok && len(p.rest) <= int(p.size)
	case kindQuestionMore, kindAnswerMore:
		p.rest, ok = b, len(b) > 0
	case kindRefusal:
		p.code, p.rest, ok = cutText(b, MaxCode)
		ok = ok && IsCode(p.code) && len(p.rest) <= MaxText && utf8.Valid(p.rest)
	case kindUnwanted:
	default:
		return p, false, nil
	}
	if !ok {
		return piece{}, true, ErrPiece
	}
	return p, true, nil
}

func cutSize(b []byte) (size uint32, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, false
	}
	size = binary.BigEndian.Uint32(b)
	return size, b[4:], size <= MaxSize
}

// cutText cuts off a text with its length before it.
func cutText(b []byte, most int) (text string, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) > most || len(b) <= int(b[0]) {
		return "", nil, false
	}
	end := 1 + int(b[0])
	return string(b[1:end]), b[end:], true
}

// IsCode reports whether a refusal may have that code.
func IsCode(code string) bool {
	for _, c := range []byte(code) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return code != "" && len(code) <= MaxCode
}
