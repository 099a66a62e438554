//go:build capture && cgo && vpx

package main

const cameraCodec = "video/VP8"
