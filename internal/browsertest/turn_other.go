//go:build !unix

package browsertest

import "os"

// lockFile opens a file. Nothing is locked: here the bound is that of each package.
func lockFile(path string) (*os.File, error) { return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) }
