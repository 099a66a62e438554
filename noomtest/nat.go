package noomtest

import (
	"fmt"
	"sync"
	"time"

	"github.com/pion/transport/v5/vnet"
)

// NAT is a kind of network address translation (RFC 4787).
type NAT int

// The kinds of NAT, from the one that lets everything through to the one that
// needs a TURN server when both ends have it.
const (
	NoNAT             NAT = iota // a public address
	FullConeNAT                  // endpoint-independent mapping and filtering
	RestrictedNAT                // … address-dependent filtering
	PortRestrictedNAT            // … address and port-dependent filtering: most home routers
	SymmetricNAT                 // address and port-dependent mapping and filtering: mobile networks, companies
)

// String returns the kind's name.
func (k NAT) String() string {
	names := [...]string{"no NAT", "full cone NAT", "restricted NAT", "port restricted NAT", "symmetric NAT"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("NAT(%d)", int(k))
	}
	return names[k]
}

func (k NAT) behaviour() *vnet.NATType {
	t := &vnet.NATType{MappingLifeTime: 2 * time.Minute}
	switch k {
	case FullConeNAT, NoNAT:
	case RestrictedNAT:
		t.FilteringBehavior = vnet.EndpointAddrDependent
	case PortRestrictedNAT:
		t.FilteringBehavior = vnet.EndpointAddrPortDependent
	case SymmetricNAT:
		t.MappingBehavior, t.FilteringBehavior = vnet.EndpointAddrPortDependent, vnet.EndpointAddrPortDependent
	}
	return t
}

// attach makes a network card with an address that was never used, behind a NAT of kind k, and
// gives it to owner.
func (n *network) attach(owner string, k NAT, number int) (*vnet.Net, string, error) {
	// Two bytes of a public address, 198.18.1.1 and up.
	public := fmt.Sprintf("198.18.%d.%d", 1+number/250, 1+number%250)
	router, address := n.router, public
	if k != NoNAT {
		lan := fmt.Sprintf("10.%d.%d.", number/250, 1+number%250)
		address = lan + "2"
		var err error
		router, err = newRouter(&vnet.RouterConfig{
			CIDR: lan + "0/24", StaticIPs: []string{public}, NATType: k.behaviour(),
		})
		if err != nil {
			return nil, "", err
		}
		if err := n.router.AddRouter(router); err != nil {
			return nil, "", err
		}
	}
	card, err := newCard(address)
	if err != nil {
		return nil, "", err
	}
	if err := router.AddNet(card); err != nil {
		return nil, "", err
	}
	if router != n.router {
		if err := router.Start(); err != nil {
			return nil, "", err
		}
	}
	n.mu.Lock()
	n.owners[public] = owner
	n.mu.Unlock()
	return card, public, nil
}

// making guards vnet's count of hardware addresses, which tests that run in
// parallel share.
var making sync.Mutex

func newCard(ip string) (*vnet.Net, error) {
	making.Lock()
	defer making.Unlock()
	return vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{ip}})
}

func newRouter(c *vnet.RouterConfig) (*vnet.Router, error) {
	making.Lock()
	defer making.Unlock()
	c.LoggerFactory = quiet{}
	return vnet.NewRouter(c)
}
