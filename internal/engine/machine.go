package engine

import (
	"fmt"
	"sync"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
)

// listedFor is how long a list of interfaces serves. The connections of one moment share it.
const listedFor = 100 * time.Millisecond

// machine is the network of this machine, for all connections of an Engine, with the interfaces that it has when it is
// asked. A stdnet.Net has those of when it was made, so that each connection would need one with a list of its own, and ICE
// would not find a new address when it restarts.
type machine struct {
	stdnet.Net // for what opens sockets

	mu   sync.Mutex
	list *stdnet.Net // nil: none was made
	at   time.Time   // when list was made
}

// current returns a network whose list of interfaces is of now.
func (m *machine) current() (*stdnet.Net, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list != nil && time.Since(m.at) < listedFor {
		return m.list, nil
	}
	list, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("noom: the network of this machine: %w", err)
	}
	m.list, m.at = list, time.Now()
	return list, nil
}

// Interfaces implements transport.Net.
func (m *machine) Interfaces() ([]*transport.Interface, error) {
	list, err := m.current()
	if err != nil {
		return nil, err
	}
	return list.Interfaces()
}

// InterfaceByIndex implements transport.Net.
func (m *machine) InterfaceByIndex(index int) (*transport.Interface, error) {
	list, err := m.current()
	if err != nil {
		return nil, err
	}
	return list.InterfaceByIndex(index)
}

// InterfaceByName implements transport.Net.
func (m *machine) InterfaceByName(name string) (*transport.Interface, error) {
	list, err := m.current()
	if err != nil {
		return nil, err
	}
	return list.InterfaceByName(name)
}
