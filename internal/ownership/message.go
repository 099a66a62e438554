package ownership

import "github.com/go-json-experiment/json/jsontext"

// Type is what a [Message] is.
type Type string

// The messages between hubs. A beat and settled go to all hubs, the others to one.
const (
	TypeBeat     Type = "beat"     // the hub lives: Hears, Degree, Draining, View, Marks, Clock
	TypeSettled  Type = "settled"  // all its rooms are attached as View wants it
	TypeAttach   Type = "attach"   // an edge gives its connections and its copy to the owner: N, Conns, State, Over
	TypeAttached Type = "attached" // the owner's answer: N, Roster, Places, State
	TypeEnter    Type = "enter"    // a connection asks to be let in: N, Seq, Conn, Body
	TypeFrame    Type = "frame"    // what a connection said, or that it is gone: N, Seq, From, Body or Gone
	TypeDeliver  Type = "deliver"  // for connections of an edge, or its copy: N, Seq, and what there is to say
	TypeRenew    Type = "renew"    // the owner cannot go on: attach anew: N
	TypeMissed   Type = "missed"   // some numbers have not come, to be sent again: N, Missed, Down
)

// Message is what one hub says to others. Which fields it has depends on its Type.
type Message struct {
	Type Type   `json:"type"`
	Hub  string `json:"hub"` // the one that says it
	Room string `json:"room,omitzero"`
	N    int64  `json:"n,omitzero"`   // number of the attachment
	Seq  int64  `json:"seq,omitzero"` // 1, 2, 3, … within an attachment and direction; the answer to an attach is 0

	Hears    []string `json:"hears,omitempty"`
	Degree   int      `json:"degree,omitzero"`
	Draining bool     `json:"draining,omitzero"`
	View     int64    `json:"view,omitzero"` // on which the hub has settled; 0: on none
	Marks    []Mark   `json:"marks,omitempty"`
	Clock    int64    `json:"clock,omitzero"` // of the driver alone: milliseconds since 1970; 0: an older hub

	Conns  []Conn           `json:"conns,omitempty"`
	Over   bool             `json:"over,omitzero"` // the edge has no connections: it only hands over
	State  *State           `json:"state,omitzero"`
	Roster []jsontext.Value `json:"roster,omitempty"` // [Conn.Member] of each, in the order of seats
	Places []Place          `json:"places,omitempty"`

	Conn    *Conn          `json:"conn,omitzero"`
	From    int64          `json:"from,omitzero"` // a connection
	Gone    string         `json:"gone,omitzero"` // why it is
	To      []int64        `json:"to,omitempty"`  // connections
	Entered *Stamp         `json:"entered,omitzero"`
	Member  jsontext.Value `json:"member,omitempty"` // what [Conn.Member] of To is now
	Again   bool           `json:"again,omitzero"`   // the connection has to ask again; without Body: its edge does, if it still wants to
	Last    bool           `json:"last,omitzero"`    // the connections end after it
	Reason  string         `json:"reason,omitzero"`
	Chat    string         `json:"chat,omitzero"` // the id: Body is to be kept
	Missed  []int64        `json:"missed,omitempty"`
	Down    bool           `json:"down,omitzero"` // it was the owner who has sent them
	Body    []byte         `json:"-"`             // a raw frame, behind the line
}

// A Mark says how far one direction of an attachment has come, so that a loss behind which nothing follows is found.
type Mark struct {
	To   string `json:"to"` // the hub at the other end
	Room string `json:"room"`
	N    int64  `json:"n"`
	Seq  int64  `json:"seq,omitzero"`
	Down bool   `json:"down,omitzero"` // from the owner to the edge
}

// A Stamp orders entries: the height of a term, and a number in it.
type Stamp struct {
	Term int64 `json:"term"`
	N    int64 `json:"n"`
}

func (s Stamp) less(o Stamp) bool { return s.Term < o.Term || s.Term == o.Term && s.N < o.N }

// A Person is somebody whom a room knows. The identity is the one of the authorisation, and may be empty.
type Person struct {
	ID       string `json:"id"`
	Session  string `json:"session,omitzero"`
	Identity string `json:"identity,omitzero"`
}

// is reports whether both stand for one person, to whom a kick applies.
func (p Person) is(o Person) bool {
	return p.ID == o.ID || p.Identity != "" && p.Identity == o.Identity
}

// A Conn is a connection of a member to its edge. Member is for the driver alone: what it has to know of it.
type Conn struct {
	Conn int64 `json:"conn"` // what the edge calls it
	Person
	Named  bool           `json:"named,omitzero"`
	Order  Stamp          `json:"order"` // of its entry
	Member jsontext.Value `json:"member,omitempty"`
}

// A Place is where a connection sits.
type Place struct {
	Conn  int64 `json:"conn"`
	Place int   `json:"place"` // how many sit before it
	Order Stamp `json:"order"`
}

// A Memory is what the room step remembers beside its members.
type Memory struct {
	Locked bool     `json:"locked,omitzero"`
	Away   []Person `json:"away,omitempty"`   // whom a locked room lets in again
	Barred []Person `json:"barred,omitempty"` // who was kicked

	// Rest is for the driver alone: what else the room step remembers, at most maxRest bytes. It gives one value, and gets
	// one of each term that is united.
	Rest []jsontext.Value `json:"rest,omitempty"`
}

// A State is the copy of a room that each of its edges keeps. Nothing that it refers to is changed.
type State struct {
	Lineage []string `json:"lineage,omitempty"` // the terms that it descends from, its own last
	Born    string   `json:"born,omitzero"`     // the term that began when the room had ended last; empty: it never has
	N       int64    `json:"n,omitzero"`        // grows with each change in a term
	Memory
	Roster []Person `json:"roster,omitempty"`
	Chats  []Chat   `json:"chats,omitempty"` // the last, oldest first
}

// A Chat is a frame that everybody is to have had once. Members drop doubles by the id.
type Chat struct {
	ID   string `json:"id"`
	Body []byte `json:"-"`
}

// An Address is a connection, as its owner calls it.
type Address struct {
	Hub  string
	Conn int64
}

// A Seat is a member of a room that is owned here.
type Seat struct {
	Hub string
	Conn
}

// Address returns where the member is.
func (s *Seat) Address() Address { return Address{s.Hub, s.Conn.Conn} }
