//go:build capture && cgo && !(screen && linux)

package capture

const screensBuilt = false
