//go:build !unix

package ws

// waitBare does nothing: here connections are read through a buffer that waits.
func (s *stream) waitBare() {}
