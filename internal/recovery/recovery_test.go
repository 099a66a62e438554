package recovery_test

import (
	"testing"
	"time"

	"noom/internal/recovery"
)

func TestNewcomer(t *testing.T) {
	d := newDesk(t)
	d.call("expect")
	d.says("arm toConnect 15s") // waits for the peer's offer
	d.call("peerBegins")
	d.says("queue")
	d.call("admitted")
	d.says("release")
	d.on(input{Call: "renewed"})
	d.says("build 1")
	d.comesUp()
	d.says("yield", "disarm toConnect", "connected", "resend late")
}

func TestResident(t *testing.T) {
	d := newDesk(t)
	d.call("welcome")
	d.says("queue")
	d.call("admitted")
	d.says("release", "beginEpoch", "arm toConnect 15s", "build 1 ours")
	d.comesUp()
	d.is(recovery.Connected)
}

func TestPeerThatNeverBegins(t *testing.T) {
	d := newDesk(t)
	d.call("expect")
	d.elapse(recovery.ToConnect)
	d.says("giveUp tooLate", "yield", "note tooLate", "failed", "arm pause 0s")
	d.elapse(recovery.Pause)
	d.call("admitted")
	d.says("build 1 ours")
}

// TestPeerBeginsBeforeOurTurn: if a frame that was held back begins an epoch, we begin none.
func TestPeerBeginsBeforeOurTurn(t *testing.T) {
	d := newDesk(t)
	d.call("welcome")
	d.m.Admitted()
	d.on(input{Call: "renewed"})
	d.says("build 1")
	d.call("released")
	d.keepsQuiet()
}

func TestInterrupted(t *testing.T) {
	d := inCall(t)
	d.path(recovery.Disconnected)
	d.says("interrupted", "askHub", "arm toRestart 2s")
	d.path(recovery.Found)
	d.says("disarm toRestart", "connected", "resend late")

	d.path(recovery.Disconnected)
	d.said = nil
	d.elapse(recovery.ToRestart)
	d.says("arm forPath 15s", "restartICE")
	d.call("restarted")
	d.path(recovery.Found)
	d.says("disarm forPath", "connected")
}

// TestRestartsBeforeRebuild: after two restarts in vain there is a new
// connection. If that does not last, there are four restarts before the next one.
func TestRestartsBeforeRebuild(t *testing.T) {
	d := inCall(t)
	for _, restarts := range []int{2, 2, 4, 8} {
		d.path(recovery.Disconnected)
		d.path(recovery.NoPath)
		d.says("note pathLost", "failed", "restartICE")
		for range restarts - 1 {
			d.call("restarted")
			d.elapse(recovery.ForPath)
			d.says("restartICE")
		}
		d.elapse(recovery.ForPath)
		d.says("giveUp pathLost", "note pathLost")
		d.elapse(recovery.Pause)
		d.says("close 1", "build 1 ours")
		d.comesUp()
		d.is(recovery.Connected)
	}
}

// TestBackOff: the pause after a failed epoch grows up to 30 s, until a connection lasts.
func TestBackOff(t *testing.T) {
	d := inCall(t)
	for _, pause := range []string{"0s", "1s", "2s", "4s", "8s", "16s", "30s", "30s"} {
		d.call("fail")
		d.says("giveUp told", "arm pause "+pause)
		d.elapse(recovery.Pause)
		d.comesUp()
	}
	d.elapse(recovery.Calm)
	d.call("fail")
	d.says("arm pause 0s")
}

// TestClosedByPeer: a peer that closes a connection most likely begins the next epoch. If it does not, we do.
func TestClosedByPeer(t *testing.T) {
	d := inCall(t)
	d.on(input{Call: "channelClosed", Conn: 1})
	d.says("giveUp pathLost", "arm pause 500ms")
	d.on(input{Call: "channelClosed", Conn: 1, Data: true})
	d.keepsQuiet()
	d.on(input{Call: "renewed"})
	d.says("close 1", "disarm pause", "build 1")
}

func TestHubAway(t *testing.T) {
	d := inCall(t)
	d.loseHub()
	d.path(recovery.Disconnected)
	d.says("interrupted")
	d.elapse(recovery.ToRestart)
	d.keepsQuiet() // a restart cannot reach the peer
	d.findHub()
	d.says("resend", "arm forPath 15s", "restartICE")

	d.loseHub()
	d.path(recovery.NoPath)
	d.neverSays("restartICE")
	d.is(recovery.Failed)
	d.findHub()
	d.says("resend", "beginEpoch", "build 1 ours") // SCTP would wait for its timer
}

// TestLostAfterNoPath: ICE gave up while we were not at a hub, which then knows nothing of the peer.
func TestLostAfterNoPath(t *testing.T) {
	d := inCall(t)
	d.loseHub()
	d.path(recovery.Disconnected)
	d.elapse(recovery.ToRestart)
	d.path(recovery.NoPath)
	d.facts.Online = true
	d.call("hubLost")
	d.says("drop")
}

// TestHubBackDuringPause: the return of the hub ends a pause between epochs.
func TestHubBackDuringPause(t *testing.T) {
	d := inCall(t)
	d.call("fail")
	d.elapse(recovery.Pause)
	d.call("fail")
	d.says("arm pause 1s")
	d.loseHub()
	d.findHub()
	d.says("disarm pause", "build 1 ours")
}

// TestHubBackWithoutConnection: the same is true if the connection of the epoch that was given up is closed.
func TestHubBackWithoutConnection(t *testing.T) {
	d := inCall(t)
	d.on(input{Call: "spoiled", Conn: 1})
	d.says("giveUp told", "arm pause 0s", "close 1")
	d.loseHub()
	d.findHub()
	d.says("disarm pause", "build 1 ours")
}

// TestMakeBeforeBreak: without a hub, a new connection is negotiated over the old one.
func TestMakeBeforeBreak(t *testing.T) {
	for _, ours := range []bool{true, false} {
		d := inCall(t)
		d.loseHub()
		linger := "arm linger 2s"
		if ours {
			d.call("restart")
			linger = "arm linger 1s"
		} else {
			d.on(input{Call: "renewed", Conn: 1})
		}
		d.says("setAside 1", "arm toConnect 15s")
		d.is(recovery.Connected)
		if d.m.Live() != 1 {
			t.Error("the old connection does not serve")
		}
		d.comesUp()
		d.says(linger)
		if d.m.Live() != 2 {
			t.Error("the new connection does not serve")
		}
		d.elapse(recovery.Proof)
		d.call("answered")
		d.neverSays("close 1")
		d.elapse(recovery.Linger)
		d.says("close 1")
		d.is(recovery.Connected)
	}
}

// TestMoveFails: the old connection still serves, and the next attempt is made over it.
func TestMoveFails(t *testing.T) {
	d := inCall(t)
	d.loseHub()
	d.call("restart")
	d.elapse(recovery.ToConnect)
	d.says("giveUp tooLate", "arm pause 0s")
	d.is(recovery.Connected)
	d.elapse(recovery.Pause)
	d.says("close 2", "build 2 ours")
	d.is(recovery.Connected)
	d.path(recovery.NoPath) // a restart cannot reach the peer
	d.says("giveUp pathLost", "arm pause 1s")
	d.is(recovery.Connected)
}

// TestTwoOld: an end that moves again while the last move is under way keeps both old connections.
func TestTwoOld(t *testing.T) {
	d := inCall(t)
	d.loseHub()
	d.call("restart")
	d.comesUp()
	d.call("restart")
	d.says("setAside 1", "setAside 2", "disarm linger", "build 3 ours")
	d.comesUp()
	d.call("restart")
	d.says("close 1", "setAside 3", "build 1 ours")
}

// TestOldLost: until the new connection is up, the peer's state follows the path of the old one.
func TestOldLost(t *testing.T) {
	d := inCall(t)
	d.loseHub()
	d.call("restart")
	d.said = nil
	d.on(input{Call: "pathChanged", Conn: 1, Path: recovery.Disconnected})
	d.says("interrupted")
	d.on(input{Call: "pathChanged", Conn: 1, Path: recovery.Found})
	d.says("connected")
	d.on(input{Call: "pathChanged", Conn: 1, Path: recovery.NoPath})
	d.says("close 1", "interrupted")
	d.comesUp()
	d.is(recovery.Connected)
}

// TestOldComesUpLate: the end that moves first may set its new connection aside before the other end has
// seen it come up. It serves all the same.
func TestOldComesUpLate(t *testing.T) {
	d := inCall(t)
	d.loseHub()
	d.on(input{Call: "renewed", Conn: 1}) // connection 2
	d.on(input{Call: "renewed", Conn: 2}) // over 2, which is not up here
	d.on(input{Call: "channelClosed", Conn: 1})
	d.is(recovery.Interrupted)
	d.on(input{Call: "pathChanged", Conn: 2, Path: recovery.Found})
	d.on(input{Call: "controlOpened", Conn: 2})
	if !d.m.Up(2) || d.m.Live() != 2 {
		t.Error("the old connection does not serve")
	}
}

// TestLost: a peer that the hub has lost is dropped once its connection is dead, not before.
func TestLost(t *testing.T) {
	d := inCall(t)
	d.call("hubLost")
	d.keepsQuiet()
	d.path(recovery.Disconnected)
	d.path(recovery.NoPath)
	d.says("giveUp pathLost", "drop")
	d.call("sleep")
	d.says("end", "closed")

	d.call("wake")
	d.says("connecting")
	d.call("welcome")
	d.says("beginEpoch", "build 1 ours") // it was connected before, and so does not wait for its turn
}

// TestLostWhileOldServes: a lost peer is dropped when its last working connection is gone.
func TestLostWhileOldServes(t *testing.T) {
	d := inCall(t)
	d.call("hubLost")
	d.call("restart") // which the hub cannot carry
	d.call("fail")
	d.says("setAside 1", "giveUp told", "arm pause 0s")
	d.is(recovery.Connected)
	d.on(input{Call: "pathChanged", Conn: 1, Path: recovery.NoPath})
	d.says("close 1", "drop")
}

func TestLostWithoutConnection(t *testing.T) {
	d := newDesk(t)
	d.call("expect")
	d.call("hubLost")
	d.says("disarm toConnect", "drop")
	d.call("welcome") // the peer came back before it was dropped
	d.says("queue")
}

// TestGoodbye: what the peer sent before its goodbye may arrive after it.
func TestGoodbye(t *testing.T) {
	d := inCall(t)
	d.call("goodbye")
	d.says("arm farewell 500ms")
	d.on(input{Call: "channelClosed", Conn: 1}) // the control channel; data may have more
	d.keepsQuiet()
	if d.m.Over() {
		t.Error("over before the data channel ends")
	}
	d.on(input{Call: "channelClosed", Conn: 1, Data: true})
	if !d.m.Over() {
		t.Error("not over at the end of the data channel")
	}

	d = inCall(t)
	d.call("goodbye")
	d.elapse(recovery.Farewell)
	if !d.m.Over() {
		t.Error("not over in time")
	}
	d.call("ended")
	d.says("end", "yield", "closed")

	d = inCall(t)
	d.call("goodbye")
	d.said = nil
	d.path(recovery.Disconnected)
	d.keepsQuiet() // nothing is mended for a peer that leaves
	d.call("fail")
	if !d.m.Over() {
		t.Error("not over with the epoch")
	}

	d = inCall(t)
	d.path(recovery.Disconnected)
	d.call("goodbye")
	if !d.m.Over() {
		t.Error("waits for data after a goodbye although none can arrive")
	}
}

// TestRelay: if the path went by a relay, ICE is restarted until there is one again.
func TestRelay(t *testing.T) {
	d := inCall(t)
	d.on(input{Call: "pathChanged", Conn: 1, Path: recovery.Disconnected, Relayed: true})
	d.elapse(recovery.ToRestart)
	d.says("arm forRelay 2s", "restartICE")
	for range 6 {
		d.elapse(recovery.ForRelay)
		d.says("arm forRelay 2s", "restartICE unless relayed")
	}
	d.elapse(recovery.ForRelay)
	d.says("arm forPath 1s", "restartICE unless relayed") // 15 s in all
	d.elapse(recovery.ForPath)
	d.says("arm forRelay 2s", "restartICE")
}

func TestRelayExpires(t *testing.T) {
	d := inCall(t)
	d.on(input{Call: "credentialsLast", After: 480 * time.Second})
	d.says("arm credentials 8m0s")
	d.elapse(recovery.Credentials)
	d.says("checkRelay")
	d.call("relayEnds")
	d.says("restartICE")
	if !d.m.MayRestart() {
		t.Error("no restart, because the path works")
	}
	d.call("restarted")
	d.path(recovery.Found)
	if d.m.MayRestart() {
		t.Error("a restart is still wanted")
	}
}

// TestExpiredServers: a restart and a new epoch wait a moment for new ICE servers.
func TestExpiredServers(t *testing.T) {
	d := inCall(t)
	d.facts.Expired = true
	d.path(recovery.Disconnected)
	d.elapse(recovery.ToRestart)
	d.says("askServers", "arm serversToRestart 1s")
	d.facts.Expired = false
	d.call("serversTold")
	d.says("disarm serversToRestart", "restartICE")

	d.facts.Expired = true
	d.call("fail")
	d.elapse(recovery.Pause)
	d.says("askServers", "arm serversToBegin 1s")
	d.elapse(recovery.ServersToBegin) // the hub does not answer
	d.says("build 1 ours")
}

// TestBudget: a new connection waits until the member may have one more.
func TestBudget(t *testing.T) {
	d := inCall(t)
	d.facts.Wait = 3 * time.Second
	d.call("fail")
	d.elapse(recovery.Pause)
	d.says("arm budget 3s")
	d.facts.Wait = 0
	d.elapse(recovery.Budget)
	d.says("build 1 ours")
}

// TestDoubt: when the network may have changed, the path has to show life.
func TestDoubt(t *testing.T) {
	d := inCall(t)
	d.call("doubted")
	d.says("arm inFlight 250ms")
	d.elapse(recovery.InFlight)
	d.says("samplePath", "arm doubt 1.75s")
	d.elapse(recovery.Doubt)
	d.says("comparePath")
	d.call("silent")
	d.says("interrupted", "arm forPath 15s", "restartICE")

	d = inCall(t)
	d.on(input{Call: "networkChanged"})
	d.keepsQuiet() // the path's address is still there
	d.on(input{Call: "networkChanged", Gone: true})
	d.says("interrupted", "restartICE")
	d.on(input{Call: "networkChanged"})
	d.says("restartICE") // there may be a path over the new network
}

// TestRestartByUser: a user wants a new path although the old one works.
func TestRestartByUser(t *testing.T) {
	d := inCall(t)
	if d.m.MayRestart() {
		t.Error("an offer restarts a path that works")
	}
	d.call("restart")
	d.says("restartICE")
	if !d.m.MayRestart() {
		t.Error("the restart is not made")
	}
	d.call("restarted")
	if d.m.Up(1) {
		t.Error("the path that was given up still counts as up")
	}
	d.path(recovery.NoPath) // and it finds none
	d.says("failed", "restartICE")

	d = inCall(t)
	d.call("restart")
	d.on(input{Call: "renewed"})
	d.comesUp()
	if d.m.MayRestart() {
		t.Error("the restart of the last connection is wanted of the next one too")
	}
}

// TestRestartWhileTheHubFlaps: once the path is back, nothing waits for it any longer, although the
// peer was never disconnected. Otherwise a connection that works would be given up.
func TestRestartWhileTheHubFlaps(t *testing.T) {
	d := inCall(t)
	d.call("restart")
	d.call("restarted")
	d.said = nil
	d.findHub()
	d.says("arm forPath 15s", "restartICE")
	d.path(recovery.Found)
	d.says("disarm forPath")
	d.is(recovery.Connected)
}

// TestProof: a path that is found after a restart has to carry something, or the connection is given up.
func TestProof(t *testing.T) {
	d := inCall(t)
	d.call("restart")
	d.call("restarted")
	d.neverSays("probe")
	d.path(recovery.Found)
	d.says("probe", "arm proof 1s")
	for range 2 {
		d.elapse(recovery.Proof)
		d.says("checkProbe")
		d.call("unanswered")
		d.says("arm proof 1s")
	}
	d.elapse(recovery.Proof)
	d.call("unanswered")
	d.says("giveUp pathLost", "note pathLost", "failed", "arm pause 0s")
	if d.m.Up(1) {
		t.Error("frames still go over a path that carries nothing")
	}
	d.elapse(recovery.Pause)
	d.says("close 1", "build 1 ours")
	d.comesUp()
	d.says("probe", "arm proof 1s") // so is what comes in its place
	d.elapse(recovery.Proof)
	d.call("answered")
	d.said = nil
	d.call("unanswered") // too late
	d.keepsQuiet()
	d.is(recovery.Connected)

	d = inCall(t)
	d.path(recovery.Disconnected)
	d.path(recovery.Found)
	d.neverSays("probe") // nothing is new
}

// TestProofInterrupted: a path that is lost while it is being watched is watched again when it is back.
func TestProofInterrupted(t *testing.T) {
	d := inCall(t)
	d.call("restarted") // by the peer
	d.path(recovery.Found)
	d.path(recovery.Disconnected)
	d.said = nil
	d.elapse(recovery.Proof)
	d.keepsQuiet()
	d.path(recovery.Found)
	d.says("connected", "probe", "arm proof 1s")
}

// TestLastConnectionIsKept: a path that seems to carry nothing is kept while there is no other way to the peer.
func TestLastConnectionIsKept(t *testing.T) {
	for _, options := range []recovery.Options{goOptions, browserOptions} {
		d := inCallWith(t, options)
		d.call("restarted") // by the peer
		d.path(recovery.Found)
		if options.KeepsPath {
			d.elapse(recovery.Settle)
		}
		d.loseHub()
		look := func() {
			for range 3 {
				d.elapse(recovery.Proof)
				d.call("unanswered")
			}
		}
		d.said = nil
		look()
		d.says("probe", "arm proof 1s")
		d.is(recovery.Connected)
		d.findHub()
		look()
		d.says("giveUp pathLost")
	}
}

// TestMoveThatCarriesNothing: without a hub, the old connection is kept until the new one is proven.
func TestMoveThatCarriesNothing(t *testing.T) {
	d := inCall(t)
	d.loseHub()
	d.call("restart")
	d.comesUp()
	d.elapse(recovery.Linger)
	for range 3 {
		d.elapse(recovery.Proof)
		d.call("unanswered")
	}
	d.neverSays("close 1")
	d.is(recovery.Connected)
	if d.m.Live() != 1 {
		t.Error("the old connection does not serve")
	}
	d.elapse(recovery.Pause)
	d.says("close 2", "build 2 ours")
}

func TestRestartRefused(t *testing.T) {
	refused := func(d *desk, want recovery.Refusal) {
		t.Helper()
		d.m.Now(d.facts)
		if actions, got := d.m.Restart(); got != want || len(actions) > 0 {
			t.Errorf("refusal %d, want %d; actions %v", got, want, actions)
		}
	}
	d := newDesk(t)
	refused(d, recovery.NotConnected)
	d = inCall(t)
	d.loseHub()
	d.path(recovery.Disconnected)
	refused(d, recovery.NoHub)
	d = inCall(t)
	d.loseHub()
	d.call("restart")
	refused(d, recovery.NotRefused) // a new path is being looked for already
	d = inCall(t)
	d.call("sleep")
	refused(d, recovery.IsClosed)
}

// TestUnbuilt: the epoch of a connection that cannot be made fails.
func TestUnbuilt(t *testing.T) {
	d := inCall(t)
	d.on(input{Call: "renewed"})
	d.said = nil
	d.call("unbuilt")
	d.says("giveUp told", "failed", "arm pause 0s")
}

// TestBrowser: what a browser does differently.
func TestBrowser(t *testing.T) {
	t.Run("makes no connection while no offer can reach the peer", func(t *testing.T) {
		d := inCallWith(t, browserOptions)
		d.loseHub()
		d.on(input{Call: "spoiled", Conn: 1})
		d.elapse(recovery.Pause)
		d.neverSays("beginEpoch")
		d.findHub()
		d.says("build 1 ours")
	})
	t.Run("moves to a new connection, which the old one serves until it is up", func(t *testing.T) {
		d := inCallWith(t, browserOptions)
		d.path(recovery.Disconnected)
		d.elapse(recovery.ToRestart)
		d.says("setAside 1", "beginEpoch", "build 2 ours")
		d.on(input{Call: "pathChanged", Conn: 1, Path: recovery.Found}) // it comes back first
		d.says("connected")
		d.comesUp()
		d.says("arm linger 1s", "probe", "arm proof 1s")
		d.elapse(recovery.Linger)
		d.keepsQuiet() // the new path is not proven
		d.elapse(recovery.Proof)
		d.says("checkProbe")
		d.call("answered")
		d.says("close 1")
	})
	t.Run("moves when the user wants it, once at a time", func(t *testing.T) {
		d := inCallWith(t, browserOptions)
		d.call("restart")
		d.says("setAside 1", "beginEpoch", "build 2 ours")
		d.call("restart")
		d.keepsQuiet()
		d.is(recovery.Connected)
	})
	t.Run("moves away from a relay that is about to end, and from an address that is gone", func(t *testing.T) {
		d := inCallWith(t, browserOptions)
		d.call("relayEnds")
		d.says("setAside 1", "build 2 ours")
		d.comesUp()
		d.on(input{Call: "networkChanged", Gone: true})
		d.says("interrupted", "setAside 2", "build 3 ours")
	})
	t.Run("keeps its path during a restart by the peer", func(t *testing.T) {
		d := inCallWith(t, browserOptions)
		d.call("restarted")
		d.says("arm settle 1s")
		if !d.m.Up(1) || d.m.MayRestart() {
			t.Error("gives up the path, or wants another restart")
		}
		d.path(recovery.Found)
		d.keepsQuiet() // what arrives now may come by the old path
		d.elapse(recovery.Settle)
		d.says("probe", "arm proof 1s")
	})
	t.Run("does not wait long for a lost peer", func(t *testing.T) {
		d := inCallWith(t, browserOptions)
		d.call("hubLost")
		d.path(recovery.Disconnected)
		d.says("interrupted", "arm toReturn 5s")
		d.elapse(recovery.ToReturn)
		d.says("giveUp pathLost", "drop")
	})
	t.Run("does not wait long for a lost peer that was never connected", func(t *testing.T) {
		d := newDeskWith(t, browserOptions)
		d.call("welcome")
		d.call("admitted")
		d.said = nil
		d.call("hubLost")
		d.says("yield", "disarm toConnect", "arm toReturn 5s")
		d.call("expect")
		d.says("resend", "disarm toReturn", "arm toConnect 15s")
	})
}
