package endurance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// A lab is a small Internet made of Linux network namespaces: one is the Internet, with a
// server, and around it are homes, each a host behind a router with a NAT. All addresses
// are in namespaces of the lab.
//
//	a 192.168.1.2 -- 192.168.1.1 a's router 20.0.1.2 -- 20.0.1.1 Internet, server 20.0.0.1
//	b 192.168.2.2 -- 192.168.2.1 b's router 20.0.2.2 -- 20.0.2.1
type lab struct {
	t      *testing.T
	prefix string
}

var labCount atomic.Int32 // labs that this process has made

const serverIP = "20.0.0.1" // public, so that a TURN server may relay to its neighbours

// nat is how a router translates addresses.
type nat struct {
	name  string
	ports string // the option by which iptables chooses ports
	open  bool   // all incoming UDP goes to the host
}

// A Linux router keeps a port if it can, which makes it port restricted (RFC 4787:
// endpoint-independent mapping, address and port-dependent filtering). With random ports
// it is symmetric; if it forwards everything, it is a full cone.
var (
	fullCone       = nat{name: "full cone", open: true}
	portRestricted = nat{name: "port restricted"}
	symmetric      = nat{name: "symmetric", ports: "--random-fully"}
)

// newLab makes the Internet and its server's address, until the test ends.
func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		skipOrFail(t, "it makes network namespaces and needs root for that")
	}
	for _, tool := range []string{"ip", "iptables"} {
		if _, err := exec.LookPath(tool); err != nil {
			skipOrFail(t, "it needs %s (Debian: apt-get install iproute2 iptables)", tool)
		}
	}
	l := &lab{t: t, prefix: fmt.Sprintf("noom%d-%d-", os.Getpid(), labCount.Add(1))}
	if out, err := exec.Command("ip", "netns", "add", l.prefix+"probe").CombinedOutput(); err != nil {
		skipOrFail(t, "this root may not make network namespaces: %s", out)
	}
	l.do("ip netns del " + l.prefix + "probe")
	l.addSpace("inet")
	l.in("inet", "ip addr add "+serverIP+"/32 dev lo")
	l.in("inet", "sysctl -qw net.ipv4.ip_forward=1")
	return l
}

// addHome makes the n-th home: a host called name and its router.
func (l *lab) addHome(n int, name string, kind nat) {
	l.t.Helper()
	router := name + "-router"
	l.addSpace(name)
	l.addSpace(router)
	l.wire("inet", fmt.Sprint("to-", name), fmt.Sprintf("20.0.%d.1/24", n), router, "wan", fmt.Sprintf("20.0.%d.2/24", n))
	l.wire(router, "lan", fmt.Sprintf("192.168.%d.1/24", n), name, "eth0", fmt.Sprintf("192.168.%d.2/24", n))
	l.in(router, fmt.Sprintf("ip route add default via 20.0.%d.1", n))
	l.in(name, fmt.Sprintf("ip route add default via 192.168.%d.1", n))
	l.in(router, "sysctl -qw net.ipv4.ip_forward=1")
	l.in(router, "iptables -t nat -A POSTROUTING -o wan -p udp -j MASQUERADE "+kind.ports)
	l.in(router, "iptables -t nat -A POSTROUTING -o wan -j MASQUERADE")
	if kind.open {
		l.in(router, fmt.Sprintf("iptables -t nat -A PREROUTING -i wan -p udp -j DNAT --to-destination 192.168.%d.2", n))
		return
	}
	// Otherwise an early packet from the other home takes the port that ours needs.
	l.in(router, "iptables -A INPUT -i wan -m conntrack --ctstate NEW -j DROP")
	l.in(router, "iptables -A FORWARD -i wan -m conntrack --ctstate NEW -j DROP")
}

// move gives a host another address in its home, as a new lease would.
func (l *lab) move(name string, home, host int) {
	l.t.Helper()
	l.in(name, fmt.Sprintf("ip addr del 192.168.%d.2/24 dev eth0", home))
	l.in(name, fmt.Sprintf("ip addr add 192.168.%d.%d/24 dev eth0", home, host))
	l.in(name, fmt.Sprintf("ip route replace default via 192.168.%d.1", home))
}

// cut drops all traffic over the Internet and to its server, until mend.
func (l *lab) cut() {
	l.t.Helper()
	l.in("inet", "iptables -I FORWARD -j DROP")
	l.in("inet", "iptables -I INPUT ! -i lo -j DROP")
	l.in("inet", "iptables -I OUTPUT ! -o lo -j DROP")
}

// callServer gives the server a name in a host. What runs there finds it in /etc/hosts: that is how
// ip netns exec mounts this file.
func (l *lab) callServer(name, host string) {
	l.t.Helper()
	dir := filepath.Join("/etc/netns", l.prefix+host)
	l.t.Cleanup(func() {
		_ = os.RemoveAll(dir)       // it was made below, or is not there
		_ = os.Remove("/etc/netns") // unless others use it
	})
	if err := os.MkdirAll(dir, 0o755); err != nil {
		l.t.Fatal(err)
	}
	for file, text := range map[string]string{
		"hosts":       "127.0.0.1 localhost\n" + serverIP + " " + name + "\n",
		"resolv.conf": "nameserver 127.0.0.1\n", // where nobody listens: what is not in hosts is refused at once
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			l.t.Fatal(err)
		}
	}
}

// onlyHTTPS lets nothing through but TCP to port 443 of the server, and what answers it.
func (l *lab) onlyHTTPS() {
	l.t.Helper()
	l.in("inet", "iptables -P FORWARD DROP")
	l.in("inet", "iptables -P INPUT DROP")
	l.in("inet", "iptables -P OUTPUT DROP")
	for _, way := range []string{"INPUT -i lo", "OUTPUT -o lo", "INPUT -p tcp --dport 443", "OUTPUT -p tcp --sport 443"} {
		l.in("inet", "iptables -A "+way+" -j ACCEPT")
	}
}

func (l *lab) mend() {
	l.t.Helper()
	l.in("inet", "iptables -F")
}

func (l *lab) addSpace(name string) {
	l.t.Helper()
	l.do("ip netns add " + l.prefix + name)
	l.t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", l.prefix+name).CombinedOutput(); err != nil {
			l.t.Errorf("namespace %s is left behind: %v %s", l.prefix+name, err, out)
		}
	})
	for _, links := range []string{"all", "default"} { // an address that comes by itself, a second later, breaks what Chromium has begun
		file := "/proc/sys/net/ipv6/conf/" + links + "/disable_ipv6"
		words := append(l.inside(name), "sh", "-c", "test ! -e "+file+" || echo 1 >"+file)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			l.t.Fatalf("%s without IPv6: %v: %s", name, err, out)
		}
	}
	l.in(name, "ip link set lo up")
}

// wire connects two namespaces.
func (l *lab) wire(a, deviceA, addressA, b, deviceB, addressB string) {
	l.t.Helper()
	l.do(fmt.Sprintf("ip link add %s netns %s type veth peer name %s netns %s", deviceA, l.prefix+a, deviceB, l.prefix+b))
	for _, end := range [][3]string{{a, deviceA, addressA}, {b, deviceB, addressB}} {
		l.in(end[0], fmt.Sprintf("ip addr add %s dev %s", end[2], end[1]))
		l.in(end[0], fmt.Sprintf("ip link set %s up", end[1]))
	}
}

// inside returns the command that runs a program in a namespace.
func (l *lab) inside(name string) []string { return []string{"ip", "netns", "exec", l.prefix + name} }

func (l *lab) in(name, command string) {
	l.t.Helper()
	l.do(strings.Join(l.inside(name), " ") + " " + command)
}

func (l *lab) do(command string) {
	l.t.Helper()
	words := strings.Fields(command)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		l.t.Fatalf("%s: %v: %s", command, err, out)
	}
}
