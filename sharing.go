package noom

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/allocate"
	"noom/internal/connection"
	"noom/internal/fanout"
)

// sharePeriod is how often what the connections take is shared among the tracks, while there is something to share.
const sharePeriod = 250 * time.Millisecond

// A path is congested if it delays packets so long, or loses so large a part of them.
const (
	congestedQueue = 100 * time.Millisecond
	congestedLoss  = 0.25
)

// sharing makes the plan of what each peer gets of each track, and has it carried out: by the links, which own the legs,
// and by the senders, which own the encodings. The room's loop calls its methods; wake may be called from anywhere.
type sharing struct {
	room    *room
	due     atomic.Bool // a plan is posted
	ticking bool        // another is scheduled

	planner allocate.Planner
	own     []ownSender
	tracks  []*sharedTrack // of all senders, in order
	legs    map[*peer]*sharedLeg

	// For the planner, aligned with each other; memory to work in.
	plans   []*allocate.Track
	planned []*allocate.Leg
}

// ownSender is a sender that only one peer gets.
type ownSender struct {
	peer   *peer
	sender *fanout.Sender
}

// sharedLeg is a peer as the plan has it.
type sharedLeg struct {
	plan       allocate.Leg
	connection *webrtc.PeerConnection // at the last plan
	cells      map[*sharedTrack]*sharedCell
	refused    map[*fanout.Sender]webrtc.PayloadType // over this connection: the format
	want       int                                   // what the link was told
	sent       int                                   // bits per second that arrive at the peer
}

// sharedCell is what a peer gets of a track.
type sharedCell struct {
	plan allocate.Cell
	told connection.Share // to the link; what the application knows follows from it too
	news bool             // the link was told that, and has kept it
}

// wake makes the room's loop plan anew, because something has changed.
func (s *sharing) wake() {
	if s.due.CompareAndSwap(false, true) {
		s.room.mail.Post(s.plan)
	}
}

// addOwn and removeOwn begin and end a track that only one peer gets.
func (s *sharing) addOwn(p *peer, sender *fanout.Sender) {
	if sender.Closed() { // removeOwn may have been called already
		return
	}
	s.own = append(s.own, ownSender{p, sender})
	s.plan()
}

func (s *sharing) removeOwn(p *peer, sender *fanout.Sender) {
	s.own = slices.DeleteFunc(s.own, func(o ownSender) bool { return o == ownSender{p, sender} })
	s.plan()
}

// refused notes that a peer does not get a sender in a format over its connection, so that nothing is encoded for it.
func (s *sharing) refused(p *peer, sender *fanout.Sender, format webrtc.PayloadType) {
	if l := s.legs[p]; l != nil {
		l.refused[sender] = format
		s.plan()
	}
}

// plan makes a plan and has it carried out.
func (s *sharing) plan() {
	s.due.Store(false)
	s.takeTracks()
	s.takeLegs()
	now := time.Now()
	s.planner.Plan(now, s.planned, s.plans)
	for _, p := range s.room.roster.order {
		s.tell(p, s.legs[p])
	}
	for _, t := range s.tracks {
		s.carryOut(t, now)
	}
	s.again()
}

// again schedules the next plan, if time alone can change something.
func (s *sharing) again() {
	open := func(t *sharedTrack) bool { return t.plan.Video && t.anyOpen() }
	live := func(l *allocate.Leg) bool { return l.State != allocate.Down }
	if s.ticking || len(s.tracks) == 0 || !slices.ContainsFunc(s.planned, live) && !slices.ContainsFunc(s.tracks, open) {
		return
	}
	s.ticking = true
	time.AfterFunc(sharePeriod, func() {
		s.room.mail.Post(func() {
			s.ticking = false
			s.plan()
		})
	})
}

// takeTracks brings the tracks up to what is published now.
func (s *sharing) takeTracks() {
	before := s.tracks
	s.tracks, s.plans = make([]*sharedTrack, 0, len(before)), s.plans[:0]
	add := func(sender *fanout.Sender, only *peer) {
		at := slices.IndexFunc(before, func(t *sharedTrack) bool { return t.sender == sender })
		t := &sharedTrack{sender: sender, only: only}
		if at >= 0 {
			t = before[at]
		}
		if renumbered := t.measure(); renumbered {
			for _, l := range s.legs {
				if c := l.cells[t]; c != nil {
					c.plan, c.news = allocate.Cell{Layers: allocate.AllLayers}, false
				}
			}
		}
		s.tracks, s.plans = append(s.tracks, t), append(s.plans, &t.plan)
	}
	for _, sender := range s.room.published.list {
		add(sender, nil)
	}
	for _, o := range s.own {
		add(o.sender, o.peer)
	}
}

// takeLegs brings the legs up to who is there, what their connections take, and what they want.
func (s *sharing) takeLegs() {
	before := s.legs
	s.legs, s.planned = make(map[*peer]*sharedLeg, len(before)), s.planned[:0]
	publish, sent := s.room.May(RightPublish), 0
	for _, p := range s.room.roster.order {
		l := before[p]
		if l == nil {
			l = &sharedLeg{cells: make(map[*sharedTrack]*sharedCell), refused: make(map[*fanout.Sender]webrtc.PayloadType)}
		}
		s.legs[p] = l
		l.measure(p)
		l.plan.Cells = l.plan.Cells[:0]
		for _, t := range s.tracks {
			var cell *allocate.Cell
			format, refused := l.refused[t.sender]
			refused = refused && format == t.sender.Codec().PayloadType
			if (t.only == p || t.only == nil && publish) && !refused {
				cell = l.cell(t, p)
			} else if c := l.cells[t]; c != nil {
				c.news = false // the link forgets what it does not send
			}
			l.plan.Cells = append(l.plan.Cells, cell)
		}
		for t := range l.cells {
			if !slices.Contains(s.tracks, t) {
				delete(l.cells, t)
			}
		}
		s.planned = append(s.planned, &l.plan)
		sent += l.sent
	}
	for p, l := range s.legs {
		p.link.Beside(sent - l.sent)
	}
}

// measure brings the leg up to the state of its connection.
func (l *sharedLeg) measure(p *peer) {
	current := p.link.Connection()
	if l.plan.Renewed = current != l.connection; l.plan.Renewed {
		l.connection, l.want = current, 0
		clear(l.refused)
	}
	switch p.State() {
	case PeerConnecting:
		l.plan.State = allocate.Coming
	case PeerInterrupted:
		l.plan.State = allocate.Held
	case PeerConnected:
		l.plan.State = allocate.Up
	default:
		l.plan.State = allocate.Down
	}
	l.plan.Target = p.link.Target()
	path := p.link.Bandwidth()
	l.sent = path.Acked
	l.plan.Congested = path.Queue > congestedQueue || path.Loss > congestedLoss
}

// cell returns what the peer gets of a track, with what it wants of it now.
func (l *sharedLeg) cell(t *sharedTrack, p *peer) *allocate.Cell {
	c := l.cells[t]
	if c == nil {
		c = &sharedCell{plan: allocate.Cell{Layers: allocate.AllLayers}}
		l.cells[t] = c
	}
	height, limited := p.link.Wanted(t.sender.ID())
	if !limited {
		height = allocate.All
	}
	c.plan.Height = height
	return &c.plan
}

// tell tells the link what the peer gets, and the application what it no longer gets.
func (s *sharing) tell(p *peer, l *sharedLeg) {
	for i, t := range s.tracks {
		if l.plan.Cells[i] == nil {
			continue
		}
		c := l.cells[t]
		starved := c.plan.Why == allocate.TooLittle
		share := connection.Share{
			Encoding: c.plan.Choice, Starved: starved, Above: c.plan.Above, Layers: c.plan.Layers,
		}
		if c.told == share && c.news {
			continue
		}
		if c.told.Starved != starved {
			s.room.events.add(SenderPaused{Peer: p, Sender: t.sender, Paused: starved})
		}
		c.told, c.news = share, true
		p.link.Share(t.sender, share)
	}
	if l.want != l.plan.Want {
		l.want = l.plan.Want
		p.link.Want(l.want)
	}
}
