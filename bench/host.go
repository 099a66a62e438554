package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A host is a network namespace with one device, whose packets this program carries. It has no name, so nothing is
// left of it when this program has ended, however that was: the kernel then ends the host's programs (PR_SET_PDEATHSIG)
// and removes a namespace that nobody is in.
type host struct {
	addr   netip.Addr
	device *os.File
	do     chan func() // what the thread in the namespace is to do; it ends when this is closed
}

// newHost makes a host whose device reaches network.
func newHost(addr netip.Addr, network netip.Prefix) (*host, error) {
	h := &host{addr: addr, do: make(chan func())}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: a thread in a namespace of its own is of no other use
		err := h.enter(netip.PrefixFrom(addr, network.Bits()))
		failed <- err
		if err != nil {
			return
		}
		for f := range h.do {
			f()
		}
	}()
	return h, <-failed
}

// enter takes the thread into a namespace, and makes the device there.
func (h *host) enter(addr netip.Prefix) (err error) {
	if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	if h.device, err = openTUN("tun0"); err != nil {
		return fmt.Errorf("make a TUN device: %w", err)
	}
	ip := exec.Command("ip", "-batch", "-")
	ip.Stdin = strings.NewReader(fmt.Sprintf("link set lo up\naddr add %s dev tun0\nlink set tun0 up\n", addr))
	if out, err := ip.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("ip (package iproute2): %w: %s", err, out), h.device.Close())
	}
	return nil
}

// openTUN makes a device in the thread's namespace: what programs there send to it is read from the file, and what is
// written to the file arrives there, a packet at a time.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// close removes the host, whose programs have been stopped.
func (h *host) close() {
	close(h.do)
	_ = h.device.Close()
}

// A program runs at a host, on both cores.
type program struct {
	name    string
	process *exec.Cmd
	stdin   io.Closer // it ends when this is closed
	stdout  *bufio.Reader
}

func (h *host) start(ctx context.Context, command ...string) (*program, error) {
	p := &program{name: strings.Join(command[:min(len(command), 3)], " ")}
	p.process = onBothCores(ctx, command...)
	// A proxy of this machine's reaches no host.
	p.process.Env = append(p.process.Env, "NO_PROXY=*", "no_proxy=*")
	p.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := p.process.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdin, p.stdout = stdin, bufio.NewReader(stdout)
	started := make(chan error)
	h.do <- func() { started <- p.process.Start() } // a process is in the namespace of the thread that starts it
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	return p, nil
}

// onBothCores is a command that is not bound to the driver's core.
func onBothCores(ctx context.Context, command ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "taskset", append([]string{"-c", serverCore + "," + driverCore}, command...)...)
	c.Env = append(os.Environ(), "GOMAXPROCS=2")
	c.Stderr = os.Stderr
	return c
}

// line waits for what the program prints next.
func (p *program) line() (string, error) {
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s ended early: %w", p.name, err)
	}
	return strings.TrimSpace(line), nil
}

// stop ends the program, gently first.
func (p *program) stop() {
	_ = p.stdin.Close()
	hard := time.AfterFunc(time.Second, func() { _ = p.process.Process.Kill() })
	_ = p.process.Wait() // how it ended does not matter
	hard.Stop()
}
