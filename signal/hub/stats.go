package hub

import (
	"errors"
	"sync/atomic"
	"time"

	"noom/signal"
)

// Stats is what a hub has counted since it was made, and what there is now.
// noom/signal/hub/metrics makes metrics of it.
type Stats struct {
	Rooms       int // in a cluster: that this hub owns
	Members     int // of those rooms
	Connections int // those that have yet to join included

	// Frames taken from connections and given to them, by type; types that
	// this version does not know count as "other".
	FramesReceived, FramesSent map[signal.Type]uint64
	BytesReceived, BytesSent   uint64

	// What waits to be written, to all connections together, and the most
	// frames to any one of them.
	QueuedFrames, QueuedBytes, LongestQueue int

	// Ended counts connections that are over, by why: the reason of a bye (left, kicked, closed,
	// replaced, expired, restart, lost), silent for members that sent nothing, or the code of an
	// error, which for a cut is too_slow; codes that this version does not know count as "other".
	Ended map[string]uint64

	// JoinTime is how long it takes from a connection to its joined frame,
	// proof and authorisation included.
	JoinTime Histogram

	Cluster *ClusterStats // nil without one
}

// ClusterStats is what a hub has counted of its cluster.
type ClusterStats struct {
	Hubs int // that live, this one included

	// Messages to other hubs, those that could not even be published, and messages from other hubs.
	Published, Lost, Taken uint64
	// Ignored counts what came over the backplane and is no message of a hub of this version.
	Ignored uint64

	// ClockApart is how far the clock of another hub is ahead of this one's, or behind if negative, as its last beat said:
	// of the hub that differs most. It is off by as much as a beat takes. Above 10 s the log has a warning.
	ClockApart time.Duration
}

// A Histogram counts durations.
type Histogram struct {
	Bounds []time.Duration // upper ones, ascending
	Counts []uint64        // what took at most that long, and longer than the bound before
	Over   uint64          // what took longer than the last bound
	Sum    time.Duration
}

// Stats returns what was counted. It takes each connection's lock for a moment
// and copies a few hundred numbers: a few milliseconds at 10,000 members.
func (h *Hub) Stats() Stats {
	s := Stats{
		FramesReceived: h.meter.received.read(), FramesSent: h.meter.sent.read(),
		BytesReceived: h.meter.bytesReceived.Load(), BytesSent: h.meter.bytesSent.Load(),
		Ended: make(map[string]uint64, len(h.meter.ended)), JoinTime: h.meter.joins.read(),
	}
	for why, n := range h.meter.ended {
		s.Ended[why] = n.Load()
	}
	if h.fleet != nil {
		s.Rooms, s.Members, s.Cluster = h.fleet.stats()
	} else {
		rooms, _ := h.rooms()
		s.Rooms = len(rooms)
		for _, room := range rooms {
			s.Members += room.Members
		}
	}
	conns := h.connections()
	s.Connections = len(conns)
	for _, c := range conns {
		frames, bytes := c.outbox.waiting()
		s.QueuedFrames += frames
		s.QueuedBytes += bytes
		s.LongestQueue = max(s.LongestQueue, frames)
	}
	return s
}

func (h *Hub) connections() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	conns := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	return conns
}

// A meter counts. It holds no lock, because each frame is counted.
type meter struct {
	received, sent           frameCounts
	bytesReceived, bytesSent atomic.Uint64
	joins                    joinTimes
	ended                    map[string]*atomic.Uint64 // its keys never change
}

func newMeter() *meter {
	m := &meter{ended: make(map[string]*atomic.Uint64)}
	for _, why := range endings {
		m.ended[why] = new(atomic.Uint64)
	}
	return m
}

const otherLabel = "other"

// endings are all that a connection can end with: what a stranger sends must
// not become the name of a metric.
var endings = []string{
	string(signal.ReasonLeft), string(signal.ReasonLost), string(signal.ReasonKicked), string(signal.ReasonClosed),
	string(signal.ReasonReplaced), string(signal.ReasonExpired), string(signal.ReasonRestart), silentLabel, otherLabel,
	string(signal.CodeMalformed), string(signal.CodeTooBig), string(signal.CodeTooLate), string(signal.CodeTooSlow),
	string(signal.CodeJoinFirst), string(signal.CodeBadRoom), string(signal.CodeBadName), string(signal.CodeBadProof),
	string(signal.CodeRefused), string(signal.CodeRoomFull), string(signal.CodeHubFull), string(signal.CodeShuttingDown),
	string(signal.CodeLocked), string(signal.CodeTooMany), string(signal.CodeFailed),
}

const silentLabel = "silent"

// count notes the end of a connection.
func (m *meter) count(why error) {
	label := string(signal.ReasonLost)
	bye, isBye := errors.AsType[*ByeError](why)
	refusal, isRefusal := errors.AsType[*signal.Error](why)
	switch {
	case why == nil:
		label = string(signal.ReasonLeft)
	case isBye:
		label = string(bye.Reason)
	case isRefusal:
		label = string(refusal.Code)
	case errors.Is(why, ErrSilent):
		label = silentLabel
	}
	n := m.ended[label]
	if n == nil {
		n = m.ended[otherLabel]
	}
	n.Add(1)
}

func (m *meter) take(f *signal.Message) {
	m.received.add(f.Type)
	m.bytesReceived.Add(uint64(f.Size()))
}

// give notes a batch that is about to be written.
func (m *meter) give(batch []*signal.Message) {
	size := 0
	for _, f := range batch {
		size += f.Size()
		m.sent.add(f.Type)
	}
	m.bytesSent.Add(uint64(size))
}

// frameTypes are the types that are counted, but for other, which is the last.
var frameTypes = [...]signal.Type{
	signal.TypeOffer, signal.TypeAnswer, signal.TypeCandidates, signal.TypeAsk, signal.TypeGrant, signal.TypeTable,
	signal.TypeWants, signal.TypeAck, signal.TypeStale, signal.TypeJoin, signal.TypeProof, signal.TypeRename, signal.TypeChallenge,
	signal.TypeJoined, signal.TypeWelcome, signal.TypeRenamed, signal.TypeChat, signal.TypeSaid, signal.TypeKick, signal.TypeLock,
	signal.TypeUnlock, signal.TypeLocked, signal.TypeUnlocked, signal.TypeMute, signal.TypeClose, signal.TypeBye,
	signal.TypeServers, signal.TypeError, signal.TypePing, signal.TypePong, otherLabel,
}

var frameIndex = func() map[signal.Type]int {
	index := make(map[signal.Type]int, len(frameTypes))
	for i, t := range frameTypes {
		index[t] = i
	}
	return index
}()

type frameCounts [len(frameTypes)]atomic.Uint64

func (c *frameCounts) add(t signal.Type) {
	i, known := frameIndex[t]
	if !known {
		i = len(frameTypes) - 1
	}
	c[i].Add(1)
}

func (c *frameCounts) read() map[signal.Type]uint64 {
	counts := make(map[signal.Type]uint64, len(frameTypes))
	for i, t := range frameTypes {
		counts[t] = c[i].Load()
	}
	return counts
}

// joinBounds are those of [Stats.JoinTime].
var joinBounds = [...]time.Duration{
	time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond,
	300 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second,
}

type joinTimes struct {
	counts [len(joinBounds) + 1]atomic.Uint64
	sum    atomic.Int64 // nanoseconds
}

func (j *joinTimes) add(d time.Duration) {
	i := 0
	for i < len(joinBounds) && d > joinBounds[i] {
		i++
	}
	j.counts[i].Add(1)
	j.sum.Add(int64(d))
}

func (j *joinTimes) read() Histogram {
	h := Histogram{Bounds: joinBounds[:], Sum: time.Duration(j.sum.Load()), Over: j.counts[len(joinBounds)].Load()}
	for i := range joinBounds {
		h.Counts = append(h.Counts, j.counts[i].Load())
	}
	return h
}
