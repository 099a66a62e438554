package endurance

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/longtest"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

const (
	relayIP      = "127.0.0.2" // only relays have it
	coturnSecret = "비밀"
)

// startCoturn runs coturn on relayIP until the test ends and returns its address.
func startCoturn(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("turnserver")
	if err != nil {
		skipOrFail(t, "it needs coturn (Debian: apt-get install coturn)")
	}
	free, err := net.Listen("tcp", relayIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close() // it was only needed to find a port
	_, port, _ := net.SplitHostPort(address)
	// By default coturn refuses loopback peers, to protect services on its own machine.
	// Here the peer is another relay on that machine.
	cmd := exec.CommandContext(t.Context(), program,
		"-n", "--listening-ip="+relayIP, "--relay-ip="+relayIP, "--listening-port="+port,
		"--use-auth-secret", "--static-auth-secret="+coturnSecret, "--realm=noom", "--allow-loopback-peers",
		"--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout",
		"--pidfile="+t.TempDir()+"/pid", "--userdb="+t.TempDir()+"/db")
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // the error says that it was killed
		if t.Failed() {
			t.Logf("coturn says:\n%s", log.String())
		}
	})
	for deadline := time.Now().Add(patience); ; {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close() // it was only needed to see that coturn listens
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("coturn does not listen: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// coturnServer returns credentials for a user of coturn, as a hub would provide them.
func coturnServer(t *testing.T, address, transport, user string) signal.ICEServer {
	t.Helper()
	name, password, err := turn.GenerateLongTermTURNRESTCredentials(coturnSecret, user, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	url := "turn:" + address + "?transport=" + transport
	return signal.ICEServer{URLs: []string{url}, Username: name, Credential: password}
}

// TestCoturnWithPion connects two pions without noom, over relays only, to see that pion and
// coturn understand each other.
func TestCoturnWithPion(t *testing.T) {
	longtest.Only(t)
	address := startCoturn(t)
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			server := coturnServer(t, address, transport, "pion")
			config := webrtc.Configuration{
				ICETransportPolicy: webrtc.ICETransportPolicyRelay,
				ICEServers: []webrtc.ICEServer{{
					URLs: server.URLs, Username: server.Username, Credential: server.Credential,
				}},
			}
			var ends [2]*webrtc.PeerConnection
			for i := range ends {
				var err error
				if ends[i], err = webrtc.NewPeerConnection(config); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = ends[i].Close() }() // the test is over
			}
			got := make(chan string, 1)
			ends[1].OnDataChannel(func(d *webrtc.DataChannel) {
				d.OnMessage(func(m webrtc.DataChannelMessage) { got <- string(m.Data) })
			})
			d, err := ends[0].CreateDataChannel("d", nil)
			if err != nil {
				t.Fatal(err)
			}
			d.OnOpen(func() { _ = d.SendText("안녕") }) // if it fails, nothing is received
			offer := describe(t, ends[0], func() (webrtc.SessionDescription, error) { return ends[0].CreateOffer(nil) })
			if err := ends[1].SetRemoteDescription(offer); err != nil {
				t.Fatal(err)
			}
			answer := describe(t, ends[1], func() (webrtc.SessionDescription, error) { return ends[1].CreateAnswer(nil) })
			if err := ends[0].SetRemoteDescription(answer); err != nil {
				t.Fatal(err)
			}
			select {
			case text := <-got:
				if text != "안녕" {
					t.Errorf("received %q", text)
				}
			case <-time.After(patience):
				t.Fatalf("nothing within %v; the states are %v and %v", patience, ends[0].ConnectionState(), ends[1].ConnectionState())
			}
		})
	}
}

// describe creates a description, sets it, and returns it with all candidates.
func describe(
	t *testing.T, pc *webrtc.PeerConnection, create func() (webrtc.SessionDescription, error),
) webrtc.SessionDescription {
	t.Helper()
	gathered := webrtc.GatheringCompletePromise(pc)
	d, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(d); err != nil {
		t.Fatal(err)
	}
	<-gathered
	return *pc.LocalDescription()
}

// TestCoturnWithNoom connects two members, with credentials from their hub, that can reach
// only coturn's relays.
func TestCoturnWithNoom(t *testing.T) {
	longtest.Only(t)
	address := startCoturn(t)
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			d := mem.Dialer(hub.New(&hub.Config{
				ICEServers: func(_ context.Context, m signal.Member) []signal.ICEServer {
					return []signal.ICEServer{coturnServer(t, address, transport, m.ID)}
				},
				ICELifetime: time.Minute,
			}))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var rooms []noom.Room
			for _, name := range []string{"지우", "bob"} {
				r, err := noom.Join(ctx, d, "데모", &noom.Config{Name: name, Settings: func(s *webrtc.SettingEngine) {
					s.SetRemoteIPFilter(func(ip net.IP) bool { return ip.String() == relayIP })
				}})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = r.Leave(context.Background()) }() // the test is over
				rooms = append(rooms, r)
			}
			for i, r := range rooms {
				p := connectedPeer(ctx, t, r)
				if got := pathOf(p); got != "relay to relay" {
					t.Errorf("connected over %s", got)
				}
				if err := p.Send(ctx, []byte(strconv.Itoa(i))); err != nil {
					t.Fatal(err)
				}
			}
			for i, r := range rooms {
				if got := nextEvent[noom.DataReceived](ctx, t, r); string(got.Data) != strconv.Itoa(1-i) {
					t.Errorf("received %q", got.Data)
				}
			}
		})
	}
}

// nextEvent takes r's events until there is one of that type.
func nextEvent[E noom.Event](ctx context.Context, t *testing.T, r noom.Room) E {
	t.Helper()
	for {
		e, err := r.Next(ctx)
		if err != nil {
			var want E
			t.Fatalf("%s waits for %T: %v", r.Self().Name, want, err)
		}
		if e, ok := e.(E); ok {
			return e
		}
	}
}

func connectedPeer(ctx context.Context, t *testing.T, r noom.Room) noom.Peer {
	t.Helper()
	for {
		if e := nextEvent[noom.PeerStateChanged](ctx, t, r); e.State == noom.PeerConnected {
			return e.Peer
		}
	}
}
