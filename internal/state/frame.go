package state

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/crypto/cryptobyte"

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
	rest := cryptobyte.String(b[1:])
	ok := false
	switch f.Type = FrameType(b[0]); f.Type {
	case Have:
		var clock uint64
		ok = rest.ReadUint64(&clock) && clock <= MaxVersion
		for f.Clock = int64(clock); ok && !rest.Empty(); {
			var h Holding
			ok = readID(&rest, &h.Writer) && rest.ReadUint64(&h.Digest)
			f.Haves = append(f.Haves, h)
		}
	case Want:
		ok = readID(&rest, &f.Writer) && rest.Empty()
	case Written:
		ok = !rest.Empty() && readRecords(&rest, &f.Records)
	case Answer:
		var last uint8
		ok = readID(&rest, &f.Writer) && rest.ReadUint8(&last) && last <= 1 && readRecords(&rest, &f.Records)
		f.Last = last == 1
		for _, r := range f.Records {
			ok = ok && r.Writer == f.Writer
		}
	}
	if !ok {
		return Frame{}, errFrame
	}
	return f, nil
}

func readID(rest *cryptobyte.String, to *string) bool {
	var id []byte
	ok := rest.ReadBytes(&id, idSize)
	*to = string(id)
	return ok && signal.CheckID(*to) == nil
}

func readRecords(rest *cryptobyte.String, to *[]*Record) bool {
	for !rest.Empty() {
		r := new(Record)
		if !r.read(rest) {
			return false
		}
		*to = append(*to, r)
	}
	return true
}

func (r *Record) read(rest *cryptobyte.String) bool {
	var (
		session    []byte
		flags      uint8
		version    uint64
		age        uint32
		key, value cryptobyte.String
	)
	r.PublicKey, r.Signature = make([]byte, ed25519.PublicKeySize), make([]byte, ed25519.SignatureSize)
	if !readID(rest, &r.Writer) || !rest.CopyBytes(r.PublicKey) || !rest.ReadBytes(&session, sessionSize) ||
		!rest.ReadUint8(&flags) || flags > flagKeep|flagDeleted || !rest.ReadUint64(&version) || !rest.ReadUint32(&age) ||
		!rest.ReadUint16LengthPrefixed(&key) || !rest.ReadUint16LengthPrefixed(&value) || !rest.CopyBytes(r.Signature) {
		return false
	}
	r.Session, r.Keep, r.Deleted = string(session), flags&flagKeep != 0, flags&flagDeleted != 0
	r.Version, r.Age = int64(version), time.Duration(age)*time.Millisecond
	r.Key, r.Value = string(key), append([]byte{}, value...)
	return r.check() == nil
}
