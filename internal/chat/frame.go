package chat

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/cryptobyte"

	"noom/signal"
)

// FrameType says what a frame is.
type FrameType byte

// The types of frames.
const (
	Have     FrameType = 1 // what its sender keeps, by digests
	Want     FrameType = 2 // asks for messages
	Messages FrameType = 3 // what was asked for, or what its sender has just said
)

const (
	maxFrame   = signal.MaxData // bytes, without the byte by which the channel knows it
	maxDigests = 1024           // in a frame

	idSize      = 26
	sessionSize = 22
	mostSize    = idSize + 32 + sessionSize + 3*8 + 1 + 16 + 1 + signal.MaxName + 2 + signal.MaxChat + 64 // of a message
)

var errFrame = errors.New("not a frame of chat")

// Frame is what members send each other about chat.
type Frame struct {
	Type     FrameType
	Reply    bool            // of a Have: one in return is wanted
	Passed   int64           // of a Have: the number of its sender's last message that the hub has passed on
	Digests  []signal.Digest // of a Have and a Want
	Messages []*Message
}

// Encode returns the bytes of a frame.
func (f *Frame) Encode() []byte {
	b := []byte{byte(f.Type)}
	if f.Type == Have {
		reply := byte(0)
		if f.Reply {
			reply = 1
		}
		b = binary.BigEndian.AppendUint64(append(b, reply), uint64(f.Passed))
	}
	if f.Type != Messages {
		b = binary.BigEndian.AppendUint16(b, uint16(len(f.Digests)))
	}
	for _, d := range f.Digests {
		b = append(b, d[:]...)
	}
	for _, m := range f.Messages {
		b = m.append(b)
	}
	return b
}

func (m *Message) append(b []byte) []byte {
	b = append(append(append(b, m.Author...), m.PublicKey...), m.Session...)
	for _, n := range [...]int64{m.Number, m.Order, m.Sent} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(append(b, byte(len(m.After))), m.After...)
	b = append(append(b, byte(len(m.Name))), m.Name...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(m.Text))), m.Text...)
	return append(b, m.Signature...)
}

// Decode reads a frame, which keeps no part of b. Signatures are not checked.
func Decode(b []byte) (f Frame, err error) {
	if len(b) == 0 || len(b) > maxFrame {
		return Frame{}, errFrame
	}
	rest := cryptobyte.String(b[1:])
	ok := false
	switch f.Type = FrameType(b[0]); f.Type {
	case Have:
		var reply uint8
		ok = rest.ReadUint8(&reply) && reply <= 1 && readNumber(&rest, &f.Passed) && f.Passed >= 0 && f.Passed <= signal.MaxTime && readDigests(&rest, &f.Digests)
		f.Reply = reply == 1
	case Want:
		ok = readDigests(&rest, &f.Digests) && len(f.Digests) > 0
	case Messages:
		for ok = !rest.Empty(); ok && !rest.Empty(); {
			m := new(Message)
			ok = m.read(&rest)
			f.Messages = append(f.Messages, m)
		}
	}
	if !ok || !rest.Empty() {
		return Frame{}, errFrame
	}
	return f, nil
}

func readNumber(rest *cryptobyte.String, to *int64) bool {
	var n uint64
	ok := rest.ReadUint64(&n)
	*to = int64(n)
	return ok
}

func readDigests(rest *cryptobyte.String, to *[]signal.Digest) bool {
	var n uint16
	if !rest.ReadUint16(&n) || n > maxDigests || len(*rest) < int(n)*len(signal.Digest{}) {
		return false
	}
	*to = make([]signal.Digest, n)
	for i := range *to {
		rest.CopyBytes((*to)[i][:])
	}
	return true
}

func (m *Message) read(rest *cryptobyte.String) bool {
	var author, session []byte
	var after, name, text cryptobyte.String
	m.PublicKey, m.Signature = make([]byte, ed25519.PublicKeySize), make([]byte, ed25519.SignatureSize)
	if !rest.ReadBytes(&author, idSize) || !rest.CopyBytes(m.PublicKey) || !rest.ReadBytes(&session, sessionSize) ||
		!readNumber(rest, &m.Number) || !readNumber(rest, &m.Order) || !readNumber(rest, &m.Sent) ||
		!rest.ReadUint8LengthPrefixed(&after) || !rest.ReadUint8LengthPrefixed(&name) || !rest.ReadUint16LengthPrefixed(&text) ||
		!rest.CopyBytes(m.Signature) {
		return false
	}
	m.Author, m.Session, m.After = string(author), string(session), bytes.Clone(after)
	m.Name, m.Text = string(name), string(text)
	return signal.CheckID(m.Author) == nil && m.check() == nil
}
