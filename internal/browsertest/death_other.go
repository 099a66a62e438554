//go:build !linux

package browsertest

import "os/exec"

// diesWithUs does nothing: only Linux can kill a process when its parent dies.
func diesWithUs(*exec.Cmd) {}
