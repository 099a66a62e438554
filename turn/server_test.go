package turn

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/logging"
	pion "github.com/pion/turn/v5"

	"noom/signal"
)

// relayIP is a loopback address on which nothing but relays of these tests answers.
const relayIP = "127.0.0.2"

// A servedHere is a server that listens for UDP and TCP.
type servedHere struct {
	*Server
	at netip.AddrPort
}

// serveHere starts a server on relayIP until the test ends.
func serveHere(t *testing.T, everywhere bool, limits Limits) servedHere {
	t.Helper()
	s, err := New(netip.MustParseAddr(relayIP), &Config{Everywhere: everywhere, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the test may have
	port, err := s.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return servedHere{s, netip.AddrPortFrom(s.Address(), port)}
}

// A turnClient is one end of an allocation.
type turnClient struct {
	*pion.Client
	t      *testing.T
	socket net.PacketConn
}

// Allocate asks for a relay that ends with the test.
func (c turnClient) Allocate() (net.PacketConn, error) {
	relay, err := c.Client.Allocate()
	if err == nil {
		c.t.Cleanup(func() { _ = relay.Close() }) // the test may have
	}
	return relay, err
}

func newClient(t *testing.T, s servedHere, user, password string) turnClient {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newClientOver(t, s, socket, user, password)
}

func newClientOver(t *testing.T, s servedHere, socket net.PacketConn, user, password string) turnClient {
	t.Helper()
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	c, err := pion.NewClient(&pion.ClientConfig{
		TURNServerAddr: s.at.String(), Username: user, Password: password, Conn: socket, LoggerFactory: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		_ = socket.Close() // the client may have
	})
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	return turnClient{c, t, socket}
}

// memberClient is one with the credentials that a member of that id gets.
func memberClient(t *testing.T, s servedHere, id string) turnClient {
	t.Helper()
	told := s.ICEServers(t.Context(), signal.Member{ID: id})[1]
	return newClient(t, s, told.Username, told.Credential)
}

// What is refused gets nothing over a relay, and on the relays' own address
// nothing but relays gets anything.
func TestNothingReachesThisMachine(t *testing.T) {
	s := serveHere(t, false, Limits{})
	client := memberClient(t, s, "a")
	relay, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = relay.Close() }() // the test is over
	service, err := net.ListenPacket("udp4", relayIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Close() }() // the test is over
	for service.LocalAddr().(*net.UDPAddr).Port >= firstRelayPort {
		_ = service.Close() // the system may give any port
		if service, err = net.ListenPacket("udp4", relayIP+":0"); err != nil {
			t.Fatal(err)
		}
	}
	if client.CreatePermission(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}) == nil {
		t.Error("the server permits loopback")
	}
	if _, err = relay.WriteTo([]byte("to a service"), service.LocalAddr()); err != nil {
		t.Fatal(err) // the relay's own address is permitted
	}
	other, err := memberClient(t, s, "b").Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }() // the test is over
	if _, err = other.WriteTo(nil, relay.LocalAddr()); err != nil {
		t.Fatal(err) // permits the way back
	}
	if _, err = relay.WriteTo([]byte("to a relay"), other.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, _, err := other.ReadFrom(b)
	if err != nil || string(b[:n]) != "to a relay" {
		t.Fatalf("received %q, %v", b[:n], err)
	}
	if _, err = client.socket.WriteTo([]byte("from elsewhere"), service.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if n, _, err = service.ReadFrom(b); err != nil || string(b[:n]) != "from elsewhere" {
		t.Errorf("the service received %q first, %v", b[:n], err)
	}
}
