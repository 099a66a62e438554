package pion

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/vnet"
	"github.com/pion/turn/v5"
)

// credentials stand for those of the other end.
const remoteUfrag, remotePwd = "ufrag", "a password of 22 chars"

// newAgent returns an agent on a host, which is closed when the test ends.
func newAgent(t *testing.T, on transport.Net, options ...ice.AgentOption) *ice.Agent {
	t.Helper()
	agent, err := ice.NewAgentWithOptions(append([]ice.AgentOption{
		ice.WithNet(on), ice.WithLoggerFactory(quiet()), ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled),
		ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}),
	}, options...)...)
	must(t, err)
	t.Cleanup(func() { must(t, agent.GracefulClose()) })
	return agent
}

// gather returns the candidates of an agent.
func gather(t *testing.T, agent *ice.Agent) (list []ice.Candidate) {
	t.Helper()
	gathered := make(chan ice.Candidate)
	must(t, agent.OnCandidate(func(c ice.Candidate) { gathered <- c }))
	must(t, agent.GatherCandidates())
	for c := <-gathered; c != nil; c = <-gathered {
		list = append(list, c)
	}
	return list
}

// TestMismatchIsFinal: a TURN server that answers 437 is not asked again from another address.
func TestMismatchIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router, hosts := newNetwork(t, 0, "10.0.0.1", "10.0.0.2")
		startTURN(t, hosts[0])
		router.AddChunkFilter(func(c vnet.Chunk) bool { // no Refresh gets through
			m := stun.Message{Raw: c.UserData()}
			return m.Decode() != nil || m.Type.Method != stun.MethodRefresh
		})
		url, err := stun.ParseURI("turn:10.0.0.1:3478?transport=udp")
		must(t, err)
		url.Username, url.Password = "user", "password"
		drawn := &ports{Net: hosts[1]}
		relayed := func() (*ice.Agent, []ice.Candidate) {
			agent := newAgent(t, drawn, ice.WithUrls([]*stun.URI{url}), ice.WithCandidateTypes([]ice.CandidateType{ice.CandidateTypeRelay}))
			return agent, gather(t, agent)
		}
		agent, relays := relayed()
		if len(relays) != 1 {
			t.Fatalf("the relays are %v", relays)
		}
		must(t, agent.GracefulClose()) // sends a Refresh with lifetime 0

		drawn.next.Store(100)
		if _, relays = relayed(); len(relays) != 1 {
			t.Fatalf("from another port the relays are %v", relays)
		}
		drawn.next.Store(0) // the same port is drawn again, and then others
		_, relays = relayed()
		stillWrong(t, len(relays) == 0, "internal/recovery: UnlessRelayed, with which ICE is restarted until there is a relay")
	})
}

// ports gives away one port after the other, where any of UDP over IPv4 will do.
type ports struct {
	*vnet.Net
	next atomic.Int32
}

func (p *ports) ListenPacket(network, address string) (net.PacketConn, error) {
	local, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, err
	}
	if local.Port == 0 && network == "udp4" {
		local.Port = 40000 + int(p.next.Add(1))
	}
	return p.Net.ListenPacket(network, local.String())
}

func startTURN(t *testing.T, on *vnet.Net) {
	t.Helper()
	socket, err := on.ListenPacket("udp4", "10.0.0.1:3478")
	must(t, err)
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "realm", LoggerFactory: quiet(),
		AuthHandler: func(a *turn.RequestAttributes) (string, []byte, bool) {
			return a.Username, turn.GenerateAuthKey(a.Username, "realm", "password"), true
		},
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn:            socket,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(10, 0, 0, 1), Address: "10.0.0.1", Net: on},
		}},
	})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
}

// TestRestartKeepsTheDeadline: an ICE restart while ICE is checking fails when the checks before it would have.
func TestRestartKeepsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, hosts := newNetwork(t, 0, "10.0.0.1")
		const patience = 30 * time.Second // in state checking, by default
		agent := newAgent(t, hosts[0])
		failed := make(chan time.Time, 1)
		must(t, agent.OnConnectionStateChange(func(s ice.ConnectionState) {
			if s == ice.ConnectionStateFailed {
				failed <- time.Now()
			}
		}))
		gather(t, agent)
		go func() { _, _ = agent.Dial(context.Background(), remoteUfrag, remotePwd) }() // until the agent is closed
		time.Sleep(patience - time.Second)
		restarted := time.Now()
		must(t, agent.Restart("", ""))
		must(t, agent.SetRemoteCredentials(remoteUfrag, remotePwd))
		gather(t, agent)
		tried := (<-failed).Sub(restarted)
		t.Logf("ICE gave up %v after the restart", tried)
		stillWrong(t, tried < patience, "internal/recovery: pathFailed, which restarts ICE once more")
	})
}

// TestChecksAreNotPaced: the checks on all pairs leave at the same instant.
func TestChecksAreNotPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router, hosts := newNetwork(t, 0, "10.0.0.1")
		at := map[time.Time]int{}
		router.AddChunkFilter(func(vnet.Chunk) bool { // called by one goroutine, which ends before router.Stop returns
			at[time.Now()]++
			return false
		})
		agent := newAgent(t, hosts[0])
		gather(t, agent)
		const pairs = 50
		for port := range pairs {
			c, err := ice.NewCandidateHost(&ice.CandidateHostConfig{
				Network: "udp4", Address: "10.0.0.2", Port: 40000 + port, Component: ice.ComponentRTP,
			})
			must(t, err)
			must(t, agent.AddRemoteCandidate(c))
		}
		go func() { _, _ = agent.Dial(context.Background(), remoteUfrag, remotePwd) }() // until the agent is closed
		time.Sleep(time.Second)
		synctest.Wait()
		total, most := 0, 0
		for _, n := range at {
			total, most = total+n, max(most, n)
		}
		t.Logf("%d checks in a second, %d of them at one instant", total, most)
		if total < pairs/3 {
			t.Fatal("the pairs are not checked")
		}
		stillWrong(t, most > 1, "internal/conduct/checks.go, as far as it keeps the pace of one connection")
	})
}

// TestNominatesOnce: an agent whose nomination was answered sends no other, though nothing comes over the pair.
func TestNominatesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, hosts := newNetwork(t, 0, "10.0.0.1", "10.0.0.2")
		peer, err := hosts[1].ListenPacket("udp4", "10.0.0.2:5000")
		must(t, err)
		var checks, nominations atomic.Int32
		go func() { // until the socket is closed
			b := make([]byte, 1500)
			for {
				n, from, ended := peer.ReadFrom(b)
				if ended != nil {
					return
				}
				m := &stun.Message{Raw: append([]byte(nil), b[:n]...)}
				if m.Decode() != nil || m.Type != stun.BindingRequest {
					continue
				}
				checks.Add(1)
				if m.Contains(stun.AttrUseCandidate) {
					nominations.Add(1)
				}
				at := from.(*net.UDPAddr)
				answer, wrong := stun.Build(m, stun.BindingSuccess, &stun.XORMappedAddress{IP: at.IP, Port: at.Port},
					stun.NewShortTermIntegrity(remotePwd), stun.Fingerprint)
				if wrong == nil {
					_, wrong = peer.WriteTo(answer.Raw, from)
				}
				if wrong != nil {
					t.Error(wrong)
				}
			}
		}()
		t.Cleanup(func() { must(t, peer.Close()) })
		agent := newAgent(t, hosts[0])
		gather(t, agent)
		at, err := ice.NewCandidateHost(&ice.CandidateHostConfig{Network: "udp", Address: "10.0.0.2", Port: 5000, Component: 1})
		must(t, err)
		must(t, agent.AddRemoteCandidate(at))
		_, err = agent.Dial(t.Context(), remoteUfrag, remotePwd)
		must(t, err)
		time.Sleep(time.Minute)
		t.Logf("%d checks, %d of them nominations", checks.Load(), nominations.Load())
		if checks.Load() < 10 {
			t.Fatal("there are too few checks to judge by")
		}
		stillWrong(t, nominations.Load() == 1, "internal/conduct/nomination.go, which sends it again")
	})
}

// TestGatheringLeavesAGoroutine: which waits until the agent is closed.
func TestGatheringLeavesAGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, hosts := newNetwork(t, 0, "10.0.0.1")
		agent := newAgent(t, hosts[0])
		waiting := func() int {
			synctest.Wait()
			stacks := make([]byte, 1<<20)
			return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("\ncreated by context.(*cancelCtx).propagateCancel"))
		}
		before := waiting()
		if list := gather(t, agent); len(list) == 0 {
			t.Fatal("nothing was gathered")
		}
		time.Sleep(time.Minute)
		stillWrong(t, waiting() > before, "")
	})
}
