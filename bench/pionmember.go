package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/coder/websocket"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// A note goes from one member to another: who is there, a description or a candidate.
type note struct {
	From        int
	Description *webrtc.SessionDescription `json:",omitempty"`
	Candidate   *webrtc.ICECandidateInit   `json:",omitempty"`
}

// A pionMember is a member as a user of pion writes it, after the seed: those in the room offer to a newcomer,
// candidates trickle, and nothing is repaired.
type pionMember struct {
	mesh    *mesh
	number  int
	channel bool // each connection has a data channel
	relay   *websocket.Conn
	ends    map[int]*pionEnd // by the other member's number; only the relay's reader uses it
}

type pionEnd struct {
	*webrtc.PeerConnection

	early []webrtc.ICECandidateInit // that came before the description
}

func joinPion(m *mesh, number int) error { return runPion(m, number, false) }

// joinPionData is joinPion with a data channel in each connection, as noom's have.
func joinPionData(m *mesh, number int) error { return runPion(m, number, true) }

// runPion is a member until the relay is gone.
func runPion(m *mesh, number int, channel bool) error {
	relay, _, err := websocket.Dial(context.Background(), fmt.Sprintf("ws://%s/?number=%d", m.task.Hub, number), nil) //nolint:bodyclose // Dial's documentation says that it need not be
	if err != nil {
		return err
	}
	relay.SetReadLimit(relayLimit)
	m.enter(nil)
	p := &pionMember{mesh: m, number: number, channel: channel, relay: relay, ends: make(map[int]*pionEnd)}
	for {
		_, b, err := relay.Read(context.Background())
		if err != nil {
			return err
		}
		var n note
		if err := json.Unmarshal(b, &n); err != nil {
			return err
		}
		if err := p.take(n); err != nil {
			return err
		}
	}
}

func (p *pionMember) take(n note) error {
	end, err := p.end(n.From)
	if err != nil {
		return err
	}
	switch {
	case n.Description != nil:
		return p.describe(n.From, end, *n.Description)
	case n.Candidate == nil: // a newcomer
		if p.channel {
			if _, err := end.CreateDataChannel("data", nil); err != nil {
				return err
			}
		}
		offer, err := end.CreateOffer(nil)
		if err != nil {
			return err
		}
		return p.send(n.From, end, offer)
	case end.RemoteDescription() == nil:
		end.early = append(end.early, *n.Candidate)
		return nil
	default:
		return end.AddICECandidate(*n.Candidate)
	}
}

func (p *pionMember) describe(from int, end *pionEnd, d webrtc.SessionDescription) error {
	if err := end.SetRemoteDescription(d); err != nil {
		return err
	}
	for _, c := range end.early {
		if err := end.AddICECandidate(c); err != nil {
			return err
		}
	}
	if d.Type != webrtc.SDPTypeOffer {
		return nil
	}
	answer, err := end.CreateAnswer(nil)
	if err != nil {
		return err
	}
	return p.send(from, end, answer)
}

// end returns the connection to another member.
func (p *pionMember) end(other int) (*pionEnd, error) {
	if end := p.ends[other]; end != nil {
		return end, nil
	}
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	if p.channel {
		pc.OnDataChannel(func(*webrtc.DataChannel) {}) // without one, pion closes what the other opens
	}
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		p.mesh.read(func() (*rtp.Packet, error) {
			p, _, err := t.ReadRTP()
			return p, err
		})
	})
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			return
		}
		init := c.ToJSON()
		if err := p.tell(other, note{Candidate: &init}); err != nil {
			p.mesh.fail(err)
		}
	})
	s := p.mesh.sources[p.number]
	for _, t := range []webrtc.TrackLocal{s.audio, s.video} {
		sender, err := pc.AddTrack(t)
		if err != nil {
			return nil, err
		}
		go func() { // interceptors see RTCP only while somebody reads it
			b := make([]byte, 1500)
			for {
				if _, _, err := sender.Read(b); err != nil {
					return
				}
			}
		}()
	}
	p.ends[other] = &pionEnd{PeerConnection: pc}
	return p.ends[other], nil
}

// send makes d the local description and sends it.
func (p *pionMember) send(to int, end *pionEnd, d webrtc.SessionDescription) error {
	if err := end.SetLocalDescription(d); err != nil {
		return err
	}
	return p.tell(to, note{Description: &d})
}

func (p *pionMember) tell(to int, n note) error {
	n.From = p.number
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return p.relay.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, "%d %s", to, b))
}
