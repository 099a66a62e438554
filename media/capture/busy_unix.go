//go:build capture && cgo && unix

package capture

import (
	"errors"
	"syscall"
)

func busyErrno(err error) bool { return errors.Is(err, syscall.EBUSY) }
