package browsertest

import (
	"os/exec"
	"syscall"
)

// diesWithUs has a process killed when this one dies, by a test that takes too long for example.
func diesWithUs(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
