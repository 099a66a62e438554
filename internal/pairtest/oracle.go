package pairtest

// Signaling is a connection's signaling state (webrtc-pc section 4.3.1).
type Signaling uint8

// The signaling states.
const (
	Stable Signaling = iota
	HaveLocalOffer
	HaveRemoteOffer
	HaveLocalPranswer
	HaveRemotePranswer
	Closed
	refused // no state: pion returns an error
)

var signalingNames = [...]string{
	"stable", "have-local-offer", "have-remote-offer", "have-local-pranswer", "have-remote-pranswer", "closed",
}

// String returns the state's name in webrtc-pc.
func (s Signaling) String() string { return signalingNames[s] }

// Operation is a call on a connection that its signaling state may forbid.
type Operation uint8

// The operations.
const (
	CreateOffer Operation = iota
	CreateAnswer
	SetLocalOffer
	SetLocalPranswer
	SetLocalAnswer
	SetLocalRollback
	SetRemoteOffer
	SetRemotePranswer
	SetRemoteAnswer
	SetRemoteRollback
	operations
)

var operationNames = [...]string{
	"createOffer", "createAnswer",
	"setLocal(offer)", "setLocal(pranswer)", "setLocal(answer)", "setLocal(rollback)",
	"setRemote(offer)", "setRemote(pranswer)", "setRemote(answer)", "setRemote(rollback)",
}

// String returns the operation as a call.
func (o Operation) String() string { return operationNames[o] }

// oracle is what pion does: the state after an operation. TestOracle holds it
// against pion. Where it differs from webrtc-pc: there is no rollback at all,
// nor a second offer over one's own, and createOffer works in every state.
var oracle = func() (t [Closed + 1][operations]Signaling) {
	for state := range t {
		for op := range t[state] {
			t[state][op] = refused
		}
		if s := Signaling(state); s != Closed {
			t[s][CreateOffer] = s
		}
	}
	t[HaveRemoteOffer][CreateAnswer] = HaveRemoteOffer
	t[HaveLocalPranswer][CreateAnswer] = HaveLocalPranswer

	t[Stable][SetLocalOffer] = HaveLocalOffer
	t[HaveLocalOffer][SetRemoteAnswer] = Stable
	t[HaveLocalOffer][SetRemotePranswer] = HaveRemotePranswer
	t[HaveRemotePranswer][SetRemoteAnswer] = Stable

	t[Stable][SetRemoteOffer] = HaveRemoteOffer
	t[HaveRemoteOffer][SetLocalAnswer] = Stable
	t[HaveRemoteOffer][SetLocalPranswer] = HaveLocalPranswer
	t[HaveLocalPranswer][SetLocalAnswer] = Stable
	return t
}()

// After returns the state that op leads to from s; ok is false when pion
// refuses it.
func After(s Signaling, op Operation) (next Signaling, ok bool) {
	next = oracle[s][op]
	return next, next != refused
}
