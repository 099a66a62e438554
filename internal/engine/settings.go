package engine

import (
	"reflect"
	"unsafe"

	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"
)

// This file reads settings for which pion has setters and no getters. If pion renames a
// field, the test of this file fails.

// OwnNet reports whether the settings replace this machine's network, for example by a
// virtual one.
func (e *Engine) OwnNet() bool { return netOf(&e.settings) != nil }

// Loopback reports whether candidates are gathered on the loopback interface.
func (e *Engine) Loopback() bool {
	candidates := reflect.ValueOf(&e.settings).Elem().FieldByName("candidates")
	f := candidates.FieldByName("IncludeLoopbackCandidate")
	return f.IsValid() && f.Bool()
}

// TCP reports whether the settings ask for ICE over TCP.
func (e *Engine) TCP() bool {
	candidates := reflect.ValueOf(&e.settings).Elem().FieldByName("candidates")
	if types := candidates.FieldByName("ICENetworkTypes"); types.IsValid() {
		for i := range types.Len() {
			if t := webrtc.NetworkType(types.Index(i).Int()); t == webrtc.NetworkTypeTCP4 || t == webrtc.NetworkTypeTCP6 {
				return true
			}
		}
	}
	return false
}

// netOf returns the network of s, or nil if it is this machine's.
func netOf(s *webrtc.SettingEngine) transport.Net {
	field := reflect.ValueOf(s).Elem().FieldByName("net")
	if !field.IsValid() || field.IsNil() {
		return nil
	}
	n, _ := reflect.TypeAssert[transport.Net](reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem())
	return n
}
