//go:build capture && cgo && screen && linux

package capture

import _ "github.com/pion/mediadevices/pkg/driver/screen" // registers screens

const screensBuilt = true
