package signal

import (
	"slices"
	"time"
)

// Type names a kind of frame.
type Type string

// Frames between a member and the hub.
const (
	TypeJoin      Type = "join"
	TypeProof     Type = "proof"
	TypeRename    Type = "rename"
	TypeChallenge Type = "challenge"
	TypeJoined    Type = "joined"
	TypeWelcome   Type = "welcome"
	TypeRenamed   Type = "renamed"
	TypeChat      Type = "chat"
	TypeSaid      Type = "said"
	TypeKick      Type = "kick"
	TypeLock      Type = "lock"
	TypeUnlock    Type = "unlock"
	TypeLocked    Type = "locked"
	TypeUnlocked  Type = "unlocked"
	TypeMute      Type = "mute"
	TypeClose     Type = "close"
	TypeBye       Type = "bye"
	TypeServers   Type = "servers"
	TypeError     Type = "error"
	TypePing      Type = "ping"
	TypePong      Type = "pong"
)

// Pair frames: from member to member, relayed by the hub.
const (
	TypeOffer      Type = "offer"
	TypeAnswer     Type = "answer"
	TypeCandidates Type = "candidates"
	TypeAsk        Type = "ask"
	TypeGrant      Type = "grant"
	TypeTable      Type = "table"
	TypeWants      Type = "wants"
	TypeAck        Type = "ack"
	TypeStale      Type = "stale"
	TypeLeft       Type = "left"
)

// Pair reports whether frames of type t go from member to member. Of a later version's type it does not know; see
// [Message.Pair].
func (t Type) Pair() bool {
	return slices.Contains(pairTypes[:], t)
}

var pairTypes = [...]Type{
	TypeOffer, TypeAnswer, TypeCandidates, TypeAsk, TypeGrant, TypeTable, TypeWants, TypeAck, TypeStale, TypeLeft,
}

var hubTypes = [...]Type{
	TypeJoin, TypeProof, TypeRename, TypeChallenge, TypeJoined, TypeWelcome,
	TypeRenamed, TypeChat, TypeSaid, TypeKick, TypeLock, TypeUnlock, TypeLocked, TypeUnlocked, TypeMute, TypeClose, TypeBye, TypeServers, TypeError, TypePing, TypePong,
}

// Request reports whether a frame of type t asks the hub for something that is
// answered, so that a bad one costs its sender an error and not the connection.
func (t Type) Request() bool { return slices.Contains(requestTypes[:], t) }

var requestTypes = [...]Type{TypeChat, TypeRename, TypeKick, TypeLock, TypeUnlock, TypeMute, TypeClose, TypeServers}

// known reports whether this version of the protocol has frames of type t.
func (t Type) known() bool { return t.Pair() || slices.Contains(hubTypes[:], t) }

// Reason says why a member is gone.
type Reason string

// The reasons of a bye.
const (
	ReasonLeft     Reason = "left"     // said goodbye
	ReasonKicked   Reason = "kicked"   // removed, by a member with that right or by the hub's owner
	ReasonClosed   Reason = "closed"   // the room was closed
	ReasonExpired  Reason = "expired"  // its authorisation has ended
	ReasonRestart  Reason = "restart"  // the hub goes down for a while; sent to the member itself alone
	ReasonReplaced Reason = "replaced" // joined again elsewhere, with the same key
	ReasonLost     Reason = "lost"     // its connection to the hub broke
)

// Member is the identity of a member, as the others see it.
type Member struct {
	ID        string    `json:"id"`   // 26 characters, follows from PublicKey
	Name      string    `json:"name"` // nickname, up to 128 bytes; may be empty
	PublicKey PublicKey `json:"key"`
	Session   string    `json:"session"` // this run of the member: one Join
	Rights    Rights    `json:"rights,omitzero"`

	// Account is whom the hub's authorisation takes the member for, up to 256 bytes, such as a name at a company; empty: the
	// hub does not say. It is the hub's word, which the member has not signed: who trusts keys and not the hub must not
	// rely on it.
	Account string `json:"account,omitzero"`
}

// ICEServer is a STUN or TURN server as in webrtc-pc's RTCIceServer.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitzero"`
	Credential string   `json:"credential,omitzero"`
}

// Limits are the hub's bounds, as joined has them.
type Limits struct {
	Frame   int `json:"frame"`   // bytes in a frame
	Name    int `json:"name"`    // bytes in a name
	Chat    int `json:"chat"`    // bytes in a chat text
	Members int `json:"members"` // members in a room
	Rate    int `json:"rate"`    // frames a second from one member
	Burst   int `json:"burst"`   // frames from one member at once, above the rate

	// What a hub's owner sets elsewhere, in hub.Config.
	Queue       int `json:"queue"`       // bytes that may wait for one member
	Join        int `json:"join"`        // milliseconds from a connection to its join
	Rooms       int `json:"rooms"`       // in the hub
	Connections int `json:"connections"` // to the hub
	Address     int `json:"address"`     // connections from one address; negative: no bound
}

// Epoch names one connection of a link: the Number-th try, begun by By.
type Epoch struct {
	Number int64
	By     string
}

// Message is one frame. Which fields count depends on Type; PROTOCOL.md says
// which. [Decode] has checked those that do.
type Message struct {
	Type Type `json:"type"`

	From string `json:"from,omitzero"` // bye, renamed, chat, said, locked, unlocked, mute, pair frames
	To   string `json:"to,omitzero"`   // kick, mute, pair frames

	Room    string    `json:"room,omitzero"`    // join, joined, a bye that is posted
	Name    string    `json:"name,omitzero"`    // join, rename, renamed, mute
	Key     PublicKey `json:"key,omitzero"`     // join, said
	Session string    `json:"session,omitzero"` // join, kick, bye, said
	Token   string    `json:"token,omitzero"`   // join
	Sends   []string  `json:"sends,omitzero"`   // join, welcome: MIME types of the tracks that the member has then
	Card    *Card     `json:"card,omitzero"`    // join, welcome: the newcomer's first offer

	Nonce     Bytes `json:"nonce,omitzero"`     // challenge, joined
	Signature Bytes `json:"signature,omitzero"` // proof, pair frames, a bye that is posted

	Self       *Member     `json:"self,omitzero"`       // joined
	Members    []Member    `json:"members,omitzero"`    // joined
	ICEServers []ICEServer `json:"iceServers,omitzero"` // joined, servers
	Lifetime   int64       `json:"lifetime,omitzero"`   // joined, servers: of ICEServers; milliseconds, 0: no end
	Heartbeat  int64       `json:"heartbeat,omitzero"`  // joined; milliseconds
	Limits     *Limits     `json:"limits,omitzero"`     // joined
	Member     *Member     `json:"member,omitzero"`     // welcome
	Reason     Reason      `json:"reason,omitzero"`     // bye
	Leaving    bool        `json:"leaving,omitzero"`    // bye: lost, and its page goes away
	Locked     bool        `json:"locked,omitzero"`     // joined
	Place      int32       `json:"place,omitzero"`      // joined; 0: behind all Members. Here and so small it makes no Message larger
	Retry      int64       `json:"retry,omitzero"`      // bye, error; milliseconds

	ID   string `json:"id,omitzero"`   // chat
	Text string `json:"text,omitzero"` // chat, said
	At   int64  `json:"at,omitzero"`   // chat; milliseconds since 1970

	Signed *Signed `json:"signed,omitzero"` // chat, said; nil: its sender does not sign

	Code  Code   `json:"code,omitzero"`    // error
	Error string `json:"message,omitzero"` // error
	About Type   `json:"about,omitzero"`   // error

	Sessions [2]string `json:"sessions,omitzero"` // pair frames: sender's, receiver's
	Epoch    Epoch     `json:"epoch,omitzero"`    // pair frames
	Seq      int64     `json:"seq,omitzero"`      // pair frames
	Ack      int64     `json:"ack,omitzero"`      // pair frames

	Body []byte `json:"-"` // pair frames: what follows the envelope; nil if nothing does

	encoded []byte // the whole frame, once known; fields and it agree
}

// ErrorMessage is the frame for e.
func ErrorMessage(e *Error) Message {
	return Message{Type: TypeError, Code: e.Code, Error: e.Message, About: e.About, Retry: e.RetryAfter.Milliseconds()}
}

// Err returns the error of an error frame, nil for any other frame.
func (m *Message) Err() *Error {
	if m.Type != TypeError {
		return nil
	}
	return &Error{Code: m.Code, Message: m.Error, About: m.About, RetryAfter: m.RetryAfter()}
}

// RetryAfter is how long to wait, at least, before trying again, as a bye or an error says; 0 if it
// does not.
func (m *Message) RetryAfter() time.Duration { return time.Duration(m.Retry) * time.Millisecond }

// Before is how many of the Members of a joined frame were in the room before the one that it is for.
func (m *Message) Before() int {
	if m.Place == 0 {
		return len(m.Members)
	}
	return int(m.Place) - 1
}

// Pair reports whether m goes from member to member. A frame of a type that a later version has added does, if it has
// what a pair frame with a number has.
func (m *Message) Pair() bool { return m.Type.Pair() || m.Seq > 0 && !m.Type.known() }

// LeftAtOnce reports whether m is a left without a number, outside of the exchange: from a member that was gone with
// it.
func (m *Message) LeftAtOnce() bool { return m.Type == TypeLeft && m.Seq == 0 }

// Stamp sets From and forgets the encoded bytes.
func (m *Message) Stamp(from string) {
	m.From, m.encoded = from, nil
}
