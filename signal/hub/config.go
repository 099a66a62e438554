package hub

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"noom/signal"
)

// Config says how a hub behaves. The zero Config works, and so does a nil one.
type Config struct {
	// ICEServers returns the STUN and TURN servers for a member. It is called at each join and
	// whenever a member asks again, so that credentials may be short-lived and made for that
	// member. It is called from that member's own goroutine; ctx ends with the connection. Nil:
	// none. At most 7 KiB of JSON; the rest is left out and logged. For a fixed list there is
	// [FixedICEServers].
	ICEServers func(ctx context.Context, m signal.Member) []signal.ICEServer

	// ICELifetime is how long the servers of ICEServers can be used. Members learn it and ask again
	// in time. 0: for ever. Most: 24 days. Under a minute members do little but ask.
	ICELifetime time.Duration

	// Authorize decides who may join. It is called once the member has proven that it holds its
	// key, from that connection's own goroutine, and no other connection waits for it; ctx ends
	// after JoinTimeout or with the connection. An error refuses the member, which gets its text,
	// and its code if it is a [*signal.Error]; a panic refuses it too. Ready-made: [RoomPasswords],
	// and signed tokens in noom/signal/hub/token.
	//
	// Nil: everyone may join, publish and chat, and no member may kick, lock or ask others to mute.
	// Not even the first one: where ids are free, so is being the first, again after each restart
	// of the hub.
	Authorize func(ctx context.Context, r Request) (Grant, error)

	// Endpoint is the host under which members dial the hub, and to which they
	// bind their proofs, with the port unless that is 80 or 443; see
	// [signal.NormalHost]. Set it if there is one alone, and behind a proxy that
	// rewrites the Host header. Empty: what the transport says, which should then
	// know its names (Hosts in ws.AcceptOptions): a hub that believes in any name
	// takes proofs that were made for another hub.
	Endpoint string

	// Limits are sent to members and enforced. A zero field is the protocol's default, which no
	// field but Members and Rate can exceed. Members: 0 is 64, most 128. Rate, in frames a second
	// and member: 0 is 50. Burst: 0 is one second's worth and 16 frames per possible member. The
	// fields behind it are filled in from what follows here.
	Limits signal.Limits

	// Heartbeat is after how long a silence a member is sent a ping; after
	// twice as long it is lost. 0: 10 s. Least: 100 ms, most: 1 hour.
	Heartbeat time.Duration
	// JoinTimeout is how long a connection may take to send its join, and
	// again to prove its key when challenged. 0: 5 s.
	JoinTimeout time.Duration

	// MaxRooms bounds the rooms that are open at once. 0: 10,000.
	MaxRooms int
	// MaxMembers bounds the connections, those about to join included.
	// 0: 10,000.
	MaxMembers int
	// MaxPerAddress bounds the connections from one IPv4 address or IPv6 /64, those about to join
	// included, and separately as many streams of [Hub.RoomsHandler]. 0: 256; negative: no bound.
	// Loopback is not counted, nor are transports without addresses. It bounds joins too: so many
	// at once, 64 at least, and then a 64th of that a second; an earlier join waits, for
	// JoinTimeout at most, or is refused (PROTOCOL.md section 6).
	MaxPerAddress int

	// ClientAddress says where a request to [Hub.RoomsHandler] comes from, for a hub behind a
	// proxy; ws.AcceptOptions has the same for members. Nil: the other end of the TCP connection.
	ClientAddress func(*http.Request) netip.Addr

	// RetryAfter is when members shall come back after a [Hub.Shutdown]; they spread over as much
	// time again. 0: 1 s. Most: 1 hour.
	RetryAfter time.Duration

	// QueueFrames and QueueBytes bound what waits for one member that reads slowly; a member that
	// exceeds either is cut as too slow. 0: 256 frames and 256 KiB, and for each possible member of
	// a room 32 frames and 32 KiB more, so that a newcomer to a full room can take everyone's
	// offers.
	QueueFrames int
	QueueBytes  int

	// History is how many signed chat messages of each room are kept in memory for whoever enters it while nobody else is
	// there, also after the last member has left: at most 1,000 with 256 KiB of frames for a room, and 16 MiB for all, of
	// which the rooms go first in which nothing was said for longest. Where others are, members get the history from them.
	// [Hub.CloseRoom] and a member's close forget a room's. A hub of a Cluster keeps none. 0: none.
	History int

	// Cluster makes one of many hubs. Nil: this hub is alone.
	Cluster *Cluster

	// Logger gets the hub's log: arrivals and departures at Debug, refusals at Info, what its
	// operator should fix at Warn. Of each kind of refusal and warning 20 lines at once, and then
	// one every 10 s that says how many were left out. Nil: nothing is logged.
	Logger *slog.Logger
}

// Request is what [Config.Authorize] decides about.
type Request struct {
	Room   string
	Member signal.Member // proven to hold its key
	Token  string        // as the member sent it, up to 4096 bytes

	Address netip.Addr // where it connects from; invalid if the transport does not know

	fleet *fleet // of the hub; nil: that is alone
}

// Grant is what an authorised member gets. The zero Grant lets it in as it
// would be let in without any authorisation.
type Grant struct {
	// Identity is the member as your authorisation knows it: an account, a subject. It goes to the
	// log and to [Hub.Members], never to the others. One identity may be in a room several times;
	// kicked, it is kept out.
	Identity string
	// Account is whom the others shall take the member for, in [signal.Member].Account: up to 256 bytes under the rules of
	// names ([signal.CheckAccount]), such as gildong@example.com. Unlike Identity, everyone in the room sees it, as the
	// hub's word. Where Limits.Members is above 64 nobody does: one frame would not hold those of all. Empty: the hub says
	// nothing.
	Account string
	// Name is the nickname it must keep. Others in the room that have it, or one that looks like
	// it, get another one, unless their Grant gave it to them. Empty: the one it asks for, which it
	// may change.
	Name string
	// Rights are what it may do. Nil: publish and chat; empty: nothing but be there. Everyone sees
	// them. The hub enforces those of frames that it passes on: chat, kick, lock, mute and close.
	// It neither passes on media nor reads offers: each receiver enforces RightPublish and takes no
	// track from a member without it.
	Rights signal.Rights
	// Once names what has admitted the member, a token for example, if that is good for one member of the room alone: the
	// first that enters with it, at whichever hub of a cluster, until Expires. Without Expires, or empty, it has no effect.
	// Up to 256 bytes.
	Once string
	// Expires is when the member is sent away with reason expired. Zero: never.
	Expires time.Time
}

// FixedICEServers makes a [Config.ICEServers] that returns the same for everyone.
func FixedICEServers(servers ...signal.ICEServer) func(context.Context, signal.Member) []signal.ICEServer {
	return func(context.Context, signal.Member) []signal.ICEServer { return servers }
}

const (
	mostMembers   = 128  // as many fit into one joined frame
	mostAccounts  = 64   // members with accounts of the greatest length do
	mostICEServer = 7168 // bytes of JSON, next to as many members
)

// withDefaults returns c with every zero filled in.
func (c *Config) withDefaults() Config {
	var d Config
	if c != nil {
		d = *c
	}
	l := &d.Limits
	l.Frame = atMost(l.Frame, signal.MaxFrame, signal.MaxFrame)
	l.Name = atMost(l.Name, signal.MaxName, signal.MaxName)
	l.Chat = atMost(l.Chat, signal.MaxChat, signal.MaxChat)
	l.Members = atMost(l.Members, signal.MaxMembers, mostMembers)
	l.Rate = orDefault(l.Rate, 50)
	if d.Endpoint != "" {
		d.Endpoint = signal.NormalHost(d.Endpoint)
	}
	d.Heartbeat = min(max(orDefault(d.Heartbeat, 10*time.Second), 100*time.Millisecond), time.Hour)
	d.ICELifetime = min(max(d.ICELifetime, 0), 24*24*time.Hour)
	d.JoinTimeout = orDefault(d.JoinTimeout, 5*time.Second)
	d.MaxRooms = orDefault(d.MaxRooms, 10_000)
	d.MaxMembers = orDefault(d.MaxMembers, 10_000)
	if d.MaxPerAddress == 0 {
		d.MaxPerAddress = 256
	}
	l.Burst = orDefault(l.Burst, l.Rate+16*l.Members)
	d.History = min(max(d.History, 0), maxHistory)
	d.RetryAfter = min(orDefault(d.RetryAfter, time.Second), signal.MaxRetry*time.Millisecond)
	d.QueueFrames = orDefault(d.QueueFrames, 256+32*l.Members)
	d.QueueBytes = orDefault(d.QueueBytes, 256<<10+32<<10*l.Members)
	l.Queue, l.Join = d.QueueBytes, int(d.JoinTimeout.Milliseconds())
	l.Rooms, l.Connections, l.Address = d.MaxRooms, d.MaxMembers, d.MaxPerAddress
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

func orDefault[T int | time.Duration](v, standard T) T {
	if v <= 0 {
		return standard
	}
	return v
}

func atMost(v, standard, most int) int { return min(orDefault(v, standard), most) }
