package join

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
)

// reader counts what arrives on one track.
type reader struct {
	mu   sync.Mutex
	now  counts // guarded by mu
	last counts // at the last tick; owned by the caller of stats
	time uint32 // timestamp of the last frame; guarded by mu
}

type counts struct{ packets, frames, bytes int }

// count counts a packet. All packets of a frame have the same timestamp.
func (r *reader) count(p *rtp.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.packets++
	r.now.bytes += len(p.Payload)
	if len(p.Payload) > 0 && (r.now.frames == 0 || p.Timestamp != r.time) {
		r.now.frames++
		r.time = p.Timestamp
	}
}

// trackStats is what arrived on a track in the last second.
type trackStats struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Kind      string  `json:"kind"`
	Codec     string  `json:"codec"`
	Muted     bool    `json:"muted"`
	Paused    bool    `json:"paused"`
	Packets   float64 `json:"packetsPerSecond"`
	Frames    float64 `json:"framesPerSecond"`
	BitRate   int     `json:"bitsPerSecond"`
	AllFrames int     `json:"frames"`
}

// stats returns what arrived since it was called last, so many seconds ago.
func (r *reader) stats(track noom.RemoteTrack, elapsed float64) trackStats {
	r.mu.Lock()
	now := r.now
	r.mu.Unlock()
	rate := func(n int) float64 { return math.Round(10*float64(n)/elapsed) / 10 }
	s := trackStats{
		ID: track.ID(), Name: track.Name(), Kind: track.Kind().String(), Codec: track.Codec().MimeType, Muted: track.Muted(), Paused: track.Paused(),
		Packets: rate(now.packets - r.last.packets), Frames: rate(now.frames - r.last.frames),
		BitRate: int(float64(8*(now.bytes-r.last.bytes)) / elapsed), AllFrames: now.frames,
	}
	r.last = now
	return s
}

// peerStats is what there is to say about a peer each second.
type peerStats struct {
	member
	State      string       `json:"state"`
	Quality    string       `json:"quality"`
	Connection *path        `json:"connection,omitempty"`
	Bandwidth  *bandwidth   `json:"bandwidth,omitempty"`
	Tracks     []trackStats `json:"tracks,omitempty"`
}

// bandwidth is a noom.Bandwidth in a line of JSON.
type bandwidth struct {
	Estimate int     `json:"estimate"` // bits a second, as the next
	Sent     int     `json:"sent"`
	Loss     float64 `json:"loss"`
	Queue    float64 `json:"queueMs"`
}

func (b *bandwidth) String() string {
	return fmt.Sprintf("can take %.0f kbit/s, gets %.0f, %.1f %% lost, queue of %.0f ms",
		float64(b.Estimate)/1000, float64(b.Sent)/1000, 100*b.Loss, b.Queue)
}

// bandwidthOf returns what there is to say about the way to a peer; nil while there is none.
func bandwidthOf(peer noom.Peer) *bandwidth {
	if peer.State() != noom.PeerConnected {
		return nil
	}
	b := peer.Bandwidth()
	return &bandwidth{b.Estimate, b.Sent, math.Round(1000*b.Loss) / 1000, float64(b.Queue.Microseconds()) / 1000}
}

// path is the pair of candidates that carries a connection (RFC 8445).
type path struct {
	Local     end     `json:"local"`
	Remote    end     `json:"remote"`
	RoundTrip float64 `json:"roundTripMs"`
}

type end struct {
	Type     string `json:"type"` // host, srflx, prflx or relay
	Protocol string `json:"protocol"`
	Address  string `json:"address"`
	Port     int    `json:"port"`
}

func (e end) String() string {
	return fmt.Sprintf("%s %s %s:%d", e.Type, e.Protocol, e.Address, e.Port)
}

// String leaves the round trip out: it is not what makes a path another one.
func (p *path) String() string { return fmt.Sprintf("%v to %v", p.Local, p.Remote) }

// pathOf finds out how a peer is connected; nil while it is not.
func pathOf(peer noom.Peer) *path {
	if peer.State() != noom.PeerConnected {
		return nil
	}
	report := peer.Stats()
	for _, s := range report {
		pair, ok := s.(webrtc.ICECandidatePairStats)
		if !ok || !pair.Nominated || pair.State != webrtc.StatsICECandidatePairStateSucceeded {
			continue
		}
		local, ok1 := report[pair.LocalCandidateID].(webrtc.ICECandidateStats)
		remote, ok2 := report[pair.RemoteCandidateID].(webrtc.ICECandidateStats)
		if !ok1 || !ok2 {
			continue
		}
		rtt := time.Duration(pair.CurrentRoundTripTime * float64(time.Second))
		return &path{endOf(local), endOf(remote), float64(rtt.Microseconds()) / 1000}
	}
	return nil
}

func endOf(c webrtc.ICECandidateStats) end {
	return end{c.CandidateType.String(), c.Protocol, c.IP, int(c.Port)}
}
