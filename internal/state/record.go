package state

import (
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"noom/internal/fault"
	"noom/signal"
)

// Bounds of a record, and of what one writer has in all keys.
const (
	MaxKey        = 256     // bytes
	MaxValue      = 32768   // bytes
	MaxAttributes = 4096    // bytes in the value of attributes
	MaxBytes      = 65536   // of keys and values
	MaxKeys       = 256     // that are not deleted
	MaxTombstones = 256     // the newest ones
	MaxTotal      = 8 << 20 // bytes of keys and values of all writers
	MaxAbsent     = 64      // writers that are not in the room
	MaxVersion    = 1<<53 - 1
	MaxLead       = 1 << 20 // of a version before all that are known
)

const (
	// Reserved begins the keys that applications cannot write.
	Reserved = "noom:"
	// attributesPrefix, with a member's id, is the key of its attributes.
	attributesPrefix = Reserved + "attributes:"
)

// AttributesKey returns the key of a member's attributes.
func AttributesKey(id string) string { return attributesPrefix + id }

// AttributesOf returns whose attributes are under a key; ok is false if none are.
func AttributesOf(key string) (id string, ok bool) { return strings.CutPrefix(key, attributesPrefix) }

// Record is what one member has written under one key. It is never changed.
type Record struct {
	Writer    string // id
	PublicKey signal.PublicKey
	Session   string // the writer's, when it wrote
	Version   int64
	Keep      bool // it shows without its writer
	Deleted   bool
	Age       time.Duration // since the deletion, when the record was sent or written
	Key       string
	Value     []byte
	Signature signal.Bytes
}

const (
	flagKeep    = 1
	flagDeleted = 2
)

func (r *Record) flags() byte {
	switch {
	case r.Keep:
		return flagKeep
	case r.Deleted:
		return flagDeleted
	}
	return 0
}

// size is how much of its writer's bytes a record takes.
func (r *Record) size() int {
	if r.Deleted {
		return 0
	}
	return len(r.Key) + len(r.Value)
}

// Text is what the writer signs.
func (r *Record) Text(room string) []byte {
	return []byte(strings.Join([]string{
		"noom.v1 state", room, r.Writer, r.Session, strconv.FormatInt(r.Version, 10), strconv.Itoa(int(r.flags())),
		base64.RawURLEncoding.EncodeToString([]byte(r.Key)), base64.RawURLEncoding.EncodeToString(r.Value),
	}, "\n"))
}

// Verify reports whether the writer has signed the record for that room.
func (r *Record) Verify(room string) bool {
	return len(r.PublicKey) == ed25519.PublicKeySize && signal.MemberID(r.PublicKey) == r.Writer &&
		ed25519.Verify(ed25519.PublicKey(r.PublicKey), r.Text(room), r.Signature)
}

// digest is the record's part of its writer's digest.
func (r *Record) digest() uint64 { return binary.BigEndian.Uint64(r.Signature[32:]) }

// compare returns above 0 if r counts and s does not.
func (r *Record) compare(s *Record) int {
	return cmp.Or(cmp.Compare(r.Version, s.Version), cmp.Compare(r.Writer, s.Writer), strings.Compare(string(r.Signature), string(s.Signature)))
}

// IsKey reports whether applications can write under a key.
func IsKey(key string) bool { return isText(key) && !strings.HasPrefix(key, Reserved) }

func isText(key string) bool { return key != "" && len(key) <= MaxKey && utf8.ValidString(key) }

// check says which rule a record breaks, whoever is in the room.
func (r *Record) check() error {
	switch {
	case signal.CheckID(r.Writer) != nil:
		return errors.New("bad writer")
	case r.Version < 1 || r.Version > MaxVersion:
		return fmt.Errorf("version %d out of bounds", r.Version)
	case r.Keep && r.Deleted, r.Deleted && len(r.Value) > 0, !r.Deleted && r.Age != 0:
		return errors.New("what is deleted has an age and neither keep nor a value")
	case len(r.Value) > MaxValue:
		return fmt.Errorf("%w: a value of %d bytes, at most %d", fault.TooBig, len(r.Value), MaxValue)
	}
	if IsKey(r.Key) || r.Key == AttributesKey(r.Writer) && !r.Keep && len(r.Value) <= MaxAttributes {
		return nil
	}
	return fmt.Errorf("bad key %q", r.Key)
}
