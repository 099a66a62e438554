package state

import (
	"encoding/binary"
	"errors"
	"time"

	"noom/signal"
)

// FrameType says what a frame is.
type FrameType byte

// The types of frames.
const (
	Have    FrameType = 1 // what its sender holds, by digests
	Want    FrameType = 2 // asks for all records of a writer
	Written FrameType = 3 // records that its sender has just written
	Answer  FrameType = 4 // records that were asked for
)

// MaxFrame bounds a frame, in bytes, without the byte by which the channel knows it.
const MaxFrame = signal.MaxData

const (
	idSize      = 26
	sessionSize = 22
	haveSize    = idSize + 8
	recordSize  = idSize + 32 + sessionSize + 1 + 8 + 4 + 2 + 2 + 64 // and the key and the value
	maxHaves    = (MaxFrame - 9) / haveSize                          // in a frame
)

var errFrame = errors.New("not a frame of the room's state")

// Frame is what members send each other about the state.
type Frame struct {
	Type    FrameType
	Clock   int64     // of a Have
	Haves   []Holding // of a Have
	Writer  string    // whom a Want asks for, and an Answer is about
	Last    bool      // of an Answer
	Records []*Record
}

// Holding is what a member holds of a writer.
type Holding struct {
	Writer string
	Digest uint64 // 0: nothing
}

// Encode returns the bytes of a frame.
func (f *Frame) Encode() []byte {
	b := []byte{byte(f.Type)}
	switch f.Type {
	case Have:
		b = binary.BigEndian.AppendUint64(b, uint64(f.Clock))
		for _, h := range f.Haves {
			b = binary.BigEndian.AppendUint64(append(b, h.Writer...), h.Digest)
		}
	case Want:
		b = append(b, f.Writer...)
	case Answer:
		last := byte(0)
		if f.Last {
			last = 1
		}
		b = append(append(b, f.Writer...), last)
	case Written:
	}
	for _, r := range f.Records {
		b = r.append(b)
	}
	return b
}

func (r *Record) append(b []byte) []byte {
	b = append(append(append(b, r.Writer...), r.PublicKey...), r.Session...)
	b = binary.BigEndian.AppendUint64(append(b, r.flags()), uint64(r.Version))
	b = binary.BigEndian.AppendUint32(b, uint32(r.Age/time.Millisecond))
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(r.Key))), r.Key...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(r.Value))), r.Value...)
	return append(b, r.Signature...)
}

// Decode reads a frame, which keeps no part of b. Signatures are not checked.
func Decode(b []byte) (f Frame, err error) {
	if len(b) == 0 || len(b) > MaxFrame {
		return Frame{}, errFrame
	}
	d := decoder{rest: b[1:]}
	switch f.Type = FrameType(b[0]); f.Type {
	case Have:
		f.Clock = d.int64()
		for len(d.rest) > 0 && !d.bad {
			f.Haves = append(f.Haves, Holding{d.id(), d.uint64()})
		}
		d.bad = d.bad || f.Clock < 0 || f.Clock > MaxVersion
	case Want:
		f.Writer = d.id()
		d.bad = d.bad || len(d.rest) > 0
	case Written:
		f.Records = d.records()
		d.bad = d.bad || len(f.Records) == 0
	case Answer:
		f.Writer = d.id()
		last := d.take(1)
		d.bad = d.bad || last[0] > 1
		f.Last = last[0] == 1
		f.Records = d.records()
		for _, r := range f.Records {
			d.bad = d.bad || r.Writer != f.Writer
		}
	default:
		d.bad = true
	}
	if d.bad {
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

func (d *decoder) uint64() uint64 { return binary.BigEndian.Uint64(d.take(8)) }
func (d *decoder) int64() int64   { return int64(d.uint64()) }

func (d *decoder) id() string {
	id := string(d.take(idSize))
	d.bad = d.bad || signal.CheckID(id) != nil
	return id
}

func (d *decoder) records() (list []*Record) {
	for len(d.rest) > 0 && !d.bad {
		list = append(list, d.record())
	}
	return list
}

func (d *decoder) record() *Record {
	r := &Record{Writer: d.id(), PublicKey: append([]byte(nil), d.take(32)...), Session: string(d.take(sessionSize))}
	flags := d.take(1)[0]
	r.Keep, r.Deleted = flags&flagKeep != 0, flags&flagDeleted != 0
	r.Version = d.int64()
	r.Age = time.Duration(binary.BigEndian.Uint32(d.take(4))) * time.Millisecond
	r.Key = string(d.take(int(binary.BigEndian.Uint16(d.take(2)))))
	r.Value = append([]byte{}, d.take(int(binary.BigEndian.Uint16(d.take(2))))...)
	r.Signature = append([]byte(nil), d.take(64)...)
	d.bad = d.bad || flags > flagKeep|flagDeleted || r.check() != nil
	return r
}
