//go:build capture && cgo && vpx

package join

const cameraCodec = "video/VP8"
