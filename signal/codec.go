package signal

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MarshalJSONTo writes [number, by].
func (e Epoch) MarshalJSONTo(enc *jsontext.Encoder) error {
	return json.MarshalEncode(enc, [2]any{e.Number, e.By})
}

// UnmarshalJSONFrom reads [number, by].
func (e *Epoch) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var parts []jsontext.Value
	if err := json.UnmarshalDecode(dec, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return fmt.Errorf("an epoch is [number, id]")
	}
	if err := json.Unmarshal(parts[0], &e.Number); err != nil {
		return err
	}
	return json.Unmarshal(parts[1], &e.By)
}

// Encode returns the frame: the envelope and, if there is one, a newline and
// the body, into which Body points from then on. It is made once and kept;
// change no field of m afterwards but through [Message.Stamp]. Of a pair frame,
// joined or welcome the fields that those do not have are left out.
func (m *Message) Encode() ([]byte, error) {
	if m.encoded != nil {
		return m.encoded, nil
	}
	frame, plain := m.encodePlain()
	if !plain {
		var err error
		if frame, err = json.Marshal(m); err != nil {
			return nil, fmt.Errorf("noom: encode %s: %w", m.Type, err)
		}
		if m.Body != nil {
			frame = append(append(frame, '\n'), m.Body...)
		}
	}
	if len(frame) > MaxFrame {
		return nil, Errorf(CodeTooBig, m.Type, "a frame of %d bytes, at most %d", len(frame), MaxFrame)
	}
	if m.Body != nil {
		m.Body = frame[len(frame)-len(m.Body):]
	}
	m.encoded = frame
	return frame, nil
}

// Size is how many bytes the frame has that m was decoded from or encoded to;
// 0 before either.
func (m *Message) Size() int { return len(m.encoded) }

// Decode reads one frame and checks every rule that needs no knowledge of the
// room: syntax, sizes, alphabets, which fields a type must have. It keeps
// frame, and Body points into it. Its errors are [*Error]. A frame of an
// unknown type is returned with what a pair frame has if it is one, to be
// relayed or acknowledged, and else with its Type alone, to be ignored.
func Decode(frame []byte) (Message, error) {
	if len(frame) > MaxFrame {
		return Message{}, Errorf(CodeTooBig, "", "a frame of %d bytes, at most %d", len(frame), MaxFrame)
	}
	if !utf8.Valid(frame) {
		return Message{}, Errorf(CodeMalformed, "", "a frame must be UTF-8")
	}
	envelope, body, found := bytes.Cut(frame, []byte{'\n'})
	var m Message
	if !m.scan(envelope) {
		return decodeFully(frame, envelope, body, found)
	}
	if e := m.complete(frame, body, found); e != nil {
		return Message{}, e
	}
	return m, nil
}

// decodeFully is Decode for every envelope that may come.
func decodeFully(frame, envelope, body []byte, found bool) (Message, error) {
	var m Message
	if err := json.Unmarshal(envelope, &m); err != nil {
		var unknown bool
		if m, unknown = decodeUnknown(envelope); !unknown {
			return Message{}, Errorf(CodeMalformed, typeOf(envelope), "envelope: %v", err)
		}
	}
	if e := m.complete(frame, body, found); e != nil {
		return Message{}, e
	}
	return m, nil
}

// typeOf is the type of an envelope that is whole, whatever its fields hold: a chat with
// half an emoji is still known for a chat. It is empty of what is broken.
func typeOf(envelope []byte) Type {
	var typed struct {
		Type Type `json:"type"`
	}
	if json.Unmarshal(envelope, &typed, jsontext.AllowInvalidUTF8(true)) != nil {
		return ""
	}
	return typed.Type
}

// complete adds the body to an envelope that could be read, and checks both.
func (m *Message) complete(frame, body []byte, found bool) *Error {
	if found {
		m.Body = body
	}
	if e := m.check(); e != nil {
		return e
	}
	m.encoded = frame
	return nil
}

// decodeUnknown reads an envelope of a type that a later version may have
// added, and whose fields may be of other types than ours.
func decodeUnknown(envelope []byte) (Message, bool) {
	var pair struct {
		Type      Type      `json:"type"`
		From      string    `json:"from"`
		To        string    `json:"to"`
		Signature Bytes     `json:"signature"`
		Sessions  [2]string `json:"sessions"`
		Epoch     Epoch     `json:"epoch"`
		Seq       int64     `json:"seq"`
		Ack       int64     `json:"ack"`
	}
	var typed struct {
		Type Type `json:"type"`
	}
	err := json.Unmarshal(envelope, &typed)
	m := Message{Type: typed.Type}
	if json.Unmarshal(envelope, &pair) == nil {
		m = Message{
			Type: pair.Type, From: pair.From, To: pair.To, Signature: pair.Signature,
			Sessions: pair.Sessions, Epoch: pair.Epoch, Seq: pair.Seq, Ack: pair.Ack,
		}
	}
	return m, err == nil && typed.Type != "" && !typed.Type.known()
}

// DecodeBody reads the body of a pair frame into one of [*Description],
// [*TableBody], [*WantsBody] and [*Candidates] and checks its bounds.
func DecodeBody(body []byte, into interface{ Check() error }) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return into.Check()
}

// EncodeBody is the inverse of [DecodeBody].
func EncodeBody(v interface{ Check() error }) ([]byte, error) {
	if err := v.Check(); err != nil {
		return nil, err
	}
	return json.Marshal(v, json.Deterministic(true))
}

// check applies the field rules of m's type.
func (m *Message) check() *Error {
	bad := func(code Code, format string, args ...any) *Error {
		return Errorf(code, m.Type, format, args...)
	}
	if m.Type == "" {
		return bad(CodeMalformed, "a frame needs a type")
	}
	if m.Body != nil && !m.Type.Pair() && m.Type.known() {
		return bad(CodeMalformed, "only pair frames have a body")
	}
	if m.From != "" && !validID(m.From) && m.Type.known() {
		return bad(CodeMalformed, "from: bad id")
	}
	switch m.Type {
	case TypeJoin:
		if len(m.Key) != ed25519.PublicKeySize {
			return bad(CodeMalformed, "key: want 32 bytes, got %d", len(m.Key))
		}
		if !validSession(m.Session) {
			return bad(CodeMalformed, "session: want 22 characters of base64url")
		}
		if len(m.Token) > MaxToken {
			return bad(CodeMalformed, "token: %d bytes, at most %d", len(m.Token), MaxToken)
		}
		if !validSends(m.Sends) {
			return bad(CodeMalformed, "sends: want up to %d MIME types of sound or pictures, of up to %d characters", MaxSends, MaxMIME)
		}
		if err := m.Card.check(); err != nil {
			return bad(CodeMalformed, "%v", err)
		}
		if err := CheckRoom(m.Room); err != nil {
			return bad(CodeBadRoom, "%v", err)
		}
		if err := CheckName(m.Name); err != nil {
			return bad(CodeBadName, "%v", err)
		}
	case TypeRename, TypeRenamed:
		if err := CheckName(m.Name); err != nil {
			return bad(CodeBadName, "%v", err)
		}
	case TypeProof:
		if len(m.Signature) != ed25519.SignatureSize {
			return bad(CodeMalformed, "signature: want 64 bytes, got %d", len(m.Signature))
		}
	case TypeChallenge:
		if len(m.Nonce) != 32 {
			return bad(CodeMalformed, "nonce: want 32 bytes, got %d", len(m.Nonce))
		}
	case TypeChat:
		if !validLabel(m.ID) {
			return bad(CodeBadChat, "chat id: want 1 to %d characters of base64url", MaxLabel)
		}
		if m.Text == "" || len(m.Text) > MaxChat {
			return bad(CodeBadChat, "chat text of %d bytes, want 1 to %d", len(m.Text), MaxChat)
		}
		if m.At < 0 || m.At > MaxTime {
			return bad(CodeMalformed, "at %d out of bounds", m.At)
		}
		if m.Signed != nil {
			if err := m.Signed.Check(); err != nil {
				return bad(CodeBadChat, "signed: %v", err)
			}
		}
	case TypeSaid:
		switch {
		case !validID(m.From):
			return bad(CodeMalformed, "from: bad id")
		case len(m.Key) != ed25519.PublicKeySize:
			return bad(CodeMalformed, "key: want 32 bytes, got %d", len(m.Key))
		case !validSession(m.Session):
			return bad(CodeMalformed, "session: want 22 characters of base64url")
		case m.Text == "" || len(m.Text) > MaxChat:
			return bad(CodeMalformed, "text of %d bytes, want 1 to %d", len(m.Text), MaxChat)
		case m.Signed == nil:
			return bad(CodeMalformed, "said needs signed")
		}
		if err := m.Signed.Check(); err != nil {
			return bad(CodeMalformed, "signed: %v", err)
		}
	case TypeJoined:
		if m.Self == nil || m.Limits == nil || m.Heartbeat < 1 || m.Heartbeat > 3_600_000 {
			return bad(CodeMalformed, "joined needs self, limits and a heartbeat of 1 ms to an hour")
		}
		m.Self.DropBadAccount()
		if err := m.Self.Verify(); err != nil {
			return bad(CodeMalformed, "self: %v", err)
		}
		if m.Place < 0 || int(m.Place) > len(m.Members)+1 {
			return bad(CodeMalformed, "place %d next to %d members", m.Place, len(m.Members))
		}
		if m.Lifetime < 0 || m.Lifetime > MaxNumber {
			return bad(CodeMalformed, "lifetime %d out of bounds", m.Lifetime)
		}
		if len(m.Nonce) != 0 && len(m.Nonce) != 32 {
			return bad(CodeMalformed, "nonce: want 32 bytes, got %d", len(m.Nonce))
		}
	case TypeServers:
		if m.Lifetime < 0 || m.Lifetime > MaxNumber {
			return bad(CodeMalformed, "lifetime %d out of bounds", m.Lifetime)
		}
	case TypeWelcome:
		if m.Member == nil {
			return bad(CodeMalformed, "welcome needs a member")
		}
		if !validSends(m.Sends) {
			return bad(CodeMalformed, "sends: want up to %d MIME types of sound or pictures, of up to %d characters", MaxSends, MaxMIME)
		}
		if err := m.Card.check(); err != nil {
			return bad(CodeMalformed, "%v", err)
		}
	case TypeKick:
		if err := CheckID(m.To); err != nil {
			return bad(CodeMalformed, "to: %v", err)
		}
		if m.Session != "" && !validSession(m.Session) {
			return bad(CodeMalformed, "session: want 22 characters of base64url")
		}
	case TypeMute:
		if err := CheckID(m.To); err != nil {
			return bad(CodeMalformed, "to: %v", err)
		}
		if err := CheckName(m.Name); err != nil {
			return bad(CodeMalformed, "the track's %v", err)
		}
	case TypeBye, TypeError:
		if m.Retry < 0 || m.Retry > MaxRetry {
			return bad(CodeMalformed, "retry %d out of bounds", m.Retry)
		}
	case TypeLock, TypeUnlock, TypeLocked, TypeUnlocked, TypeClose, TypePing, TypePong:
	case TypeOffer, TypeAnswer, TypeCandidates, TypeAsk, TypeGrant, TypeTable, TypeWants, TypeAck, TypeStale, TypeLeft:
		return m.checkPair(bad)
	default:
		m.reduceUnknown(bad)
	}
	return nil
}

// reduceUnknown leaves of a frame of an unknown type what a pair frame has, if it is one, and else the type.
func (m *Message) reduceUnknown(bad func(Code, string, ...any) *Error) {
	isPair := validLabel(string(m.Type)) && (m.From == "" || validID(m.From)) && m.checkPair(bad) == nil
	if !isPair {
		*m = Message{Type: m.Type}
		return
	}
	*m = Message{
		Type: m.Type, From: m.From, To: m.To, Signature: m.Signature,
		Sessions: m.Sessions, Epoch: m.Epoch, Seq: m.Seq, Ack: m.Ack, Body: m.Body,
	}
}

func (m *Message) checkPair(bad func(Code, string, ...any) *Error) *Error {
	bare := m.Type == TypeStale || m.LeftAtOnce()
	sequenced := m.Type != TypeAck && !bare
	switch {
	case !validID(m.To):
		return bad(CodeMalformed, "to: bad id")
	case !validSession(m.Sessions[0]) || !validSession(m.Sessions[1]):
		return bad(CodeMalformed, "sessions: want two of 22 characters of base64url")
	case len(m.Signature) != ed25519.SignatureSize:
		return bad(CodeMalformed, "signature: want 64 bytes, got %d", len(m.Signature))
	case m.Seq < 0 || m.Seq > MaxNumber || (m.Seq > 0) != sequenced:
		return bad(CodeMalformed, "seq %d out of bounds", m.Seq)
	case m.Ack < 0 || m.Ack > MaxNumber:
		return bad(CodeMalformed, "ack %d out of bounds", m.Ack)
	case bare && m.Epoch != Epoch{}:
		return bad(CodeMalformed, "a %s without a number has no epoch", m.Type)
	case !bare && (m.Epoch.Number < 1 || m.Epoch.Number > MaxNumber || !validID(m.Epoch.By)):
		return bad(CodeMalformed, "epoch out of bounds")
	}
	return nil
}

// validSends checks MIME types, or kinds alone. RFC 6838 section 4.2 has the characters of a subtype.
func validSends(list []string) bool {
	for _, mime := range list {
		kind, subtype, named := strings.Cut(mime, "/")
		if kind != "audio" && kind != "video" || named && subtype == "" || len(mime) > MaxMIME {
			return false
		}
		for _, c := range []byte(subtype) {
			if !strings.ContainsRune(subtypeRunes, rune(c)) {
				return false
			}
		}
	}
	return len(list) <= MaxSends
}

const subtypeRunes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+"

func validID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

func validSession(s string) bool { return len(s) == 22 && validLabel(s) }

func validLabel(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= MaxLabel
}
