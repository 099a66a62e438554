package chat

import (
	"encoding/binary"
	"errors"

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
	d := decoder{rest: b[1:]}
	switch f.Type = FrameType(b[0]); f.Type {
	case Have:
		reply := d.take(1)[0]
		f.Reply = reply == 1
		f.Passed = d.number()
		d.bad = d.bad || reply > 1 || f.Passed < 0 || f.Passed > signal.MaxTime
		f.Digests = d.digests()
	case Want:
		f.Digests = d.digests()
		d.bad = d.bad || len(f.Digests) == 0
	case Messages:
		for len(d.rest) > 0 && !d.bad {
			f.Messages = append(f.Messages, d.message())
		}
		d.bad = d.bad || len(f.Messages) == 0
	default:
		d.bad = true
	}
	if d.bad || len(d.rest) > 0 {
		return Frame{}, errFrame
	}
	return f, nil
}

// decoder reads what is left of a frame. Once something was bad, it reads zeros.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || len(d.rest) < n {
		d.bad, d.rest = true, nil
		return make([]byte, n)
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) copy(n int) []byte    { return append([]byte(nil), d.take(n)...) }
func (d *decoder) number() int64        { return int64(binary.BigEndian.Uint64(d.take(8))) }
func (d *decoder) short() int           { return int(d.take(1)[0]) }
func (d *decoder) length() int          { return int(binary.BigEndian.Uint16(d.take(2))) }
func (d *decoder) text(size int) string { return string(d.take(size)) }

func (d *decoder) digests() (list []signal.Digest) {
	n := d.length()
	d.bad = d.bad || n > maxDigests
	for i := 0; i < n && !d.bad; i++ {
		list = append(list, signal.Digest(d.take(len(signal.Digest{}))))
	}
	return list
}

func (d *decoder) message() *Message {
	m := &Message{Author: d.text(idSize), PublicKey: d.copy(32), Session: d.text(sessionSize)}
	m.Number, m.Order, m.Sent = d.number(), d.number(), d.number()
	m.After = d.copy(d.short())
	m.Name = d.text(d.short())
	m.Text = d.text(d.length())
	m.Signature = d.copy(64)
	d.bad = d.bad || signal.CheckID(m.Author) != nil || m.check() != nil
	return m
}
