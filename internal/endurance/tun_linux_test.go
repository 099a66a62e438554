package endurance

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// openTUN makes a device whose packets of IP a program reads and writes, until the test ends. It is in the namespace of
// this process, from which it can be moved.
func openTUN(t *testing.T, name string) *os.File {
	t.Helper()
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		skipOrFail(t, "it needs /dev/net/tun: %v", err)
	}
	request := struct { // ifreq of netdevice(7)
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_TUN | syscall.IFF_NO_PI}
	copy(request.name[:syscall.IFNAMSIZ-1], name)
	if _, _, no := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF, uintptr(unsafe.Pointer(&request))); no != 0 {
		_ = syscall.Close(fd) // nothing was done with it
		skipOrFail(t, "this root may not make TUN devices: %v", no)
	}
	f := os.NewFile(uintptr(fd), fmt.Sprint("TUN ", name)) // now that it is one, Go can wait for its packets
	t.Cleanup(func() { _ = f.Close() })                    // which removes the device, wherever it is
	return f
}

// useCubic is a Control of net.Dialer. The kernel may use something else by default.
func useCubic(_, _ string, c syscall.RawConn) error {
	var err error
	failed := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, "cubic")
	})
	return errors.Join(failed, err)
}
