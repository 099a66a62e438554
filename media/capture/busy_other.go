//go:build capture && cgo && !unix

package capture

func busyErrno(error) bool { return false }
