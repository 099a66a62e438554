package noomtest

import (
	"fmt"
	"net"
	"time"

	"github.com/pion/turn/v5"

	"noom/signal"
)

// TURNName is the host that the STUN and TURN server runs on, for [World.Cut].
const TURNName = "turn"

const (
	turnUser     = "noomtest"
	turnPassword = "noomtest"
	turnRealm    = "noomtest"
	turnPort     = 3478
)

// turnServer answers STUN, and relays if the world has TURN.
type turnServer struct {
	server   *turn.Server
	relay    bool
	stun     bool
	protocol string        // to reach a relay over
	lifetime time.Duration // of credentials; 0: for ever
}

func (w *World) newTurnServer() (*turnServer, error) {
	card, err := newCard(turnIP)
	if err != nil {
		return nil, err
	}
	if err = w.net.router.AddNet(card); err != nil {
		return nil, err
	}
	h := &host{Net: card, world: w, name: TURNName, card: card, public: turnIP}
	w.net.mu.Lock()
	w.net.owners[turnIP] = TURNName
	w.net.mu.Unlock()
	socket, err := h.ListenPacket("udp4", fmt.Sprintf("%s:%d", turnIP, turnPort))
	if err != nil {
		return nil, err
	}
	key := turn.GenerateAuthKey(turnUser, turnRealm, turnPassword)
	auth := func(a *turn.RequestAttributes) (string, []byte, bool) {
		return a.Username, key, w.options.turn && a.Username == turnUser
	}
	if w.options.turnLifetime > 0 {
		auth = turn.LongTermTURNRESTAuthHandler(turnPassword, quiet{})
	}
	relays := &turn.RelayAddressGeneratorStatic{RelayAddress: net.ParseIP(turnIP), Address: turnIP, Net: h}
	config := turn.ServerConfig{
		Realm: turnRealm, LoggerFactory: quiet{},
		AuthHandler:        auth,
		PacketConnConfigs:  []turn.PacketConnConfig{{PacketConn: socket, RelayAddressGenerator: relays}},
		AllocationLifetime: 10 * time.Minute,
	}
	s := &turnServer{relay: w.options.turn, lifetime: w.options.turnLifetime, protocol: "udp", stun: true}
	if w.options.turnTCP {
		s.protocol, s.stun = "tcp", len(w.options.noUDP) > 0
		listener := w.net.listen(&net.TCPAddr{IP: net.ParseIP(turnIP), Port: turnPort})
		config.ListenerConfigs = []turn.ListenerConfig{{Listener: listener, RelayAddressGenerator: relays}}
	}
	if s.server, err = turn.NewServer(config); err != nil {
		return nil, err
	}
	return s, nil
}

// servers are the servers for a member now.
func (s *turnServer) servers(member string) []signal.ICEServer {
	address := fmt.Sprintf("%s:%d", turnIP, turnPort)
	var list []signal.ICEServer
	if s.stun {
		list = append(list, signal.ICEServer{URLs: []string{"stun:" + address}})
	}
	if s.relay {
		user, password := turnUser, turnPassword
		if s.lifetime > 0 { // HMAC of a text with a constant key: it cannot fail
			user, password, _ = turn.GenerateLongTermTURNRESTCredentials(turnPassword, member, s.lifetime)
		}
		list = append(list, signal.ICEServer{
			URLs: []string{"turn:" + address + "?transport=" + s.protocol}, Username: user, Credential: password,
		})
	}
	return list
}
