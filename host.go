package noom

import (
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/data"
	"noom/internal/diagnose"
	"noom/internal/engine"
	"noom/internal/fanout"
	"noom/internal/files"
	"noom/internal/iceservers"
	"noom/internal/inbound"
	"noom/internal/link"
	"noom/internal/quality"
	"noom/internal/recovery"
	"noom/signal"
)

// peerHost is the room as the link of a peer sees it. What concerns the roster is posted to the room's loop.
type peerHost struct{ *peer }

var (
	_ link.Host   = peerHost{}
	_ link.Report = peerHost{}
)

func (h peerHost) post(f func()) { h.room.mail.Post(f) }

func (h peerHost) Drop() { h.post(func() { h.room.roster.drop(h.peer) }) }
func (h peerHost) Left() { h.post(func() { h.room.roster.left(h.peer) }) }

func (h peerHost) Reborn(session string) {
	h.post(func() { h.room.roster.reborn(h.peer, session) })
}

func (h peerHost) QueueUp() {
	h.post(func() {
		if h.room.roster.has(h.peer) {
			h.room.newcomers.queue(h.peer)
		}
	})
}

func (h peerHost) Yield() { h.post(func() { h.room.newcomers.done(h.peer) }) }

func (h peerHost) Online() bool { return h.room.online() }
func (h peerHost) AskHub()      { h.room.hub.Nudge() }
func (h peerHost) AskServers()  { h.room.send(signal.Message{Type: signal.TypeServers}) }

func (h peerHost) SendHub(m signal.Message) { h.room.sendTo(h.member, m) }

func (h peerHost) SharesReports() bool { return h.room.engine.Shared() }

func (h peerHost) NewAPI(hooks link.Hooks) (*webrtc.API, error) { return h.room.newAPI(hooks) }

func (r *room) newAPI(hooks link.Hooks) (*webrtc.API, error) {
	return r.engine.API(engine.Bounds{
		Wire: hooks.Packets, Traffic: hooks.Traffic, Interceptor: hooks.Guard, Repair: hooks.Repair, Answers: hooks.Answers,
		Buffer: hooks.Packets.Buffer(hooks.Guard.Buffer), Checked: hooks.Checked,
		Net: func(inner transport.Net) transport.Net { return conduct.NewPacedNet(inner, hooks.Checks, hooks.Guard) },
	})
}

func (h peerHost) Servers() *iceservers.Set { return h.room.ice.Current() }

func (h peerHost) Refusal(since time.Time) *diagnose.Refusal {
	r := h.room.refusal.Load()
	if r == nil || r.At.Before(since) {
		return nil
	}
	return &diagnose.Refusal{Server: r.Server, Err: r.Err}
}

func (h peerHost) WatchNetwork()  { h.post(h.room.network.watchAddresses) }
func (h peerHost) Loud()          { h.room.speech.wake() }
func (h peerHost) WantsChanged()  { h.room.sharing.wake() }
func (h peerHost) Spawn(f func()) { h.room.background(f) }

func (h peerHost) Frame(sent, inBand bool, m signal.Message) {
	kind := TraceReceived
	if sent {
		kind = TraceSent
	}
	h.room.trace.frame(kind, h.member, inBand, m)
}

func (h peerHost) Note(msg string, args ...any) { h.room.trace.note(h.member, msg, args...) }

func (h peerHost) State(s recovery.Peer, err error) {
	h.room.log.Info("peer", "peer", h.member.ID, "state", PeerState(s).String())
	h.room.trace.state(h.Member(), PeerState(s), err)
	h.room.sharing.wake()
}

// What a link reports becomes an event.

func (h peerHost) StateChanged(s recovery.Peer, err error) {
	h.files.Load().setConnected(s == recovery.Connected)
	h.room.events.add(PeerStateChanged{Peer: h.peer, State: PeerState(s), Err: err})
}

func (h peerHost) QualityChanged(q quality.Quality) {
	h.room.events.add(QualityChanged{Peer: h.peer, Quality: Quality(q)})
}

func (h peerHost) TracksChanged(d inbound.Diff) {
	for _, t := range d.Removed {
		h.room.events.add(TrackRemoved{Peer: h.peer, Track: t})
	}
	for _, t := range d.Added {
		h.room.events.add(TrackAdded{Peer: h.peer, Track: t})
	}
	for _, t := range d.Muted {
		h.room.events.add(TrackMuted{Peer: h.peer, Track: t, Muted: t.Muted()})
	}
	for _, t := range d.Paused {
		h.room.events.add(TrackPaused{Peer: h.peer, Track: t, Paused: t.Paused()})
	}
}

func (h peerHost) SenderRefused(s *fanout.Sender, err error) {
	codec := s.Codec() // now, because it may be another one when the room's loop comes to it
	h.post(func() { h.room.sharing.refused(h.peer, s, codec.PayloadType) })
	h.room.events.add(TrackRefused{Peer: h.peer, Sender: s, Codec: codec.MimeType, Err: err})
}

func (h peerHost) ChannelOpened(c *data.Channel, taken func()) {
	if c.Label() == files.Label {
		f := h.files.Load()
		h.room.background(func() {
			taken()
			f.greet(c)
		})
		return
	}
	h.room.events.addTaken(ChannelOpened{Peer: h.peer, Channel: c}, taken)
}

func (h peerHost) AsideOpened() {
	h.post(func() {
		h.room.state.opened(h.peer)
		h.room.talk.opened(h.peer)
	})
}

func (h peerHost) AsideReceived(kind data.AsideKind, frame []byte) {
	if kind == data.AsideChat {
		h.room.talk.came(h.peer, frame)
		return
	}
	h.room.state.came(h.peer, frame)
}

func (h peerHost) DataReceived(topic string, payload []byte, taken func()) {
	h.room.events.addTaken(DataReceived{Peer: h.peer, Topic: topic, Data: payload}, taken)
}

func (h peerHost) Asked(q *data.Question) { h.room.answers.asked(h.peer, q) }
