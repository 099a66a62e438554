// Package ownership decides which of many hubs owns a room, and carries a room from one owner to the next when hubs
// come, go, or no longer hear each other. It is a pure machine: no goroutine, clock, lock or network. Messages of other
// hubs, ticks and what the own members do go in; actions come out.
//
// # One owner, and edges
//
// A room is stepped at one hub, its owner. Each hub to which members of the room are connected is an edge, the owner's
// own hub among them: it passes their frames to the owner, and the owner's deliveries to them. Nothing is stored
// anywhere else. What a room is, beside its members, each of its edges has a copy of (a [State]), and so an owner's
// death is a hub's that restarts empty, without the sockets.
//
//	members ══ edge ── enter, frame ──▶ owner (the room step)
//	               ◀── attached, deliver ──
//
// Two machines make one hub. A [Cluster] says which hubs live: the [View]. A [Room], one for each room in which the hub
// has a part, is edge and owner.
//
// # Which hub
//
// [View.Owner] ranks the hubs by a hash of room and hub and takes the first, of those that do not drain and that the
// most hubs hear (the degree). If one link of three hubs is cut, the two at its ends do not hear each other, and each
// would own the rooms of the other; the third is heard by both, and all three agree on it. A hub that says in its beats that
// it does not hear this one is left out as if it were not heard either: a cut in one direction is one in both.
//
// # How a room moves
//
//		              view changes               answered
//		edge: attached ───────────▶ attaching ─────────────▶ attached
//		          │ cannot be sent again │ ▲ no answer: sent again, each tick
//		          └──────────────────▶   └─┘
//
//		               first attach            all have settled, or 3 s
//		owner: nobody ──────────────▶ gathering ─────────────────────▶ open ─── another owner, or empty for 10 s ──▶ nobody
//
//	  - Whenever the view has changed, an edge attaches its rooms to their owners, with its connections and its copy, and then
//	    the hub says settled. A former owner does so too, with the state itself. An owner to be gathers until all hubs in
//	    its view have settled on the same view: then it has all copies, and opens the room in one step. Otherwise a stranger
//	    who comes first would find no lock. At rest all have settled, and nobody waits.
//	  - An attach that comes before the view that makes its receiver the owner is kept for that view. Its sender may have
//	    settled on it already, and the barrier would be met without the copy.
//	  - A hub is young for a second, and has not settled, because it may not have heard the others yet.
//	  - Attachments have numbers, and so have the messages in them. Whoever finds a gap asks for what is missing, and the
//	    other sends it again: both keep what they have sent for a while. Marks in beats find a loss behind which nothing
//	    follows. What is not kept any longer, or does not come in three seconds, needs the next attachment, which says
//	    everything again, also to the members: then loss is the same as death and return.
//	  - A hub that seems to be dead may live, and its members too. So a room does not end with its last member as long as
//	    members may come back with their hub, ten seconds. And a hub that has not heard this one for as long as makes it dead
//	    is not in the view, though it is heard: it would answer to nothing.
//	  - A hub without connections attaches once more, to hand over, and forgets the room when that was answered.
//
// # What becomes of the copies
//
// A state has the terms from which it descends; each opening begins one. Of one term the newer copy counts. A term of
// which another copy descends is over. Two terms that did not know of each other come from a cluster that was torn: the
// room is locked if either is, who was kicked in either stays out, and chats of both are said to those who have not
// heard them. A room that ends for good begins a term of which copies from before are not part ([State.Born]), or they
// would bring back its kicks and chats.
//
// # Invariants
//
//  1. At rest one hub owns a room, and seats exactly the connections that live.
//  2. Nobody passes a lock of which a hub knows, as long as messages get through. Whoever was in a locked room and lost
//     its hub is let back in.
//  3. Who was kicked stays out while a hub lives that knew of it and the room has not ended.
//  4. A chat that was said reaches each member that stays, once.
//  5. No living connection ends with replaced because a room has moved, or because a request to enter comes late: one that
//     would replace a connection at another hub is judged once its own hub has said again that it wants that.
//  6. Five beats after everything is well again there is one room, with everybody in it.
//
// # How this is known
//
// search_test.go plays thousands of courses of deaths, drains, cuts in one direction and in both, losses and half-open
// sockets through these machines, and breaks each rule to see that it is needed.
//
// # What the driver does
//
// It gives a Cluster a tick each 500 ms, publishes its beat with the Marks of the rooms, and gives it what comes.
// After each change it gives every Room the new view, publishes what they want sent, and only then calls Settle. Each
// hub publishes in the order in which its machines speak. Marks are taken behind the messages that they count. It
// carries out the actions of one call before the next event of that room. After each event of the room step it says
// who of the members has Changed, what the step remembers, and then hands on what it delivers. It reads from members
// between Resume and Pause alone. A Room that is Idle needs no ticks. A message about a room that has no Room here makes
// one if it is an attach, is answered by [Unknown] if it is an enter, a frame or a mark of an edge, by [NoPart] if it is
// a mark of an owner, and is ignored otherwise. A Room that is Done is forgotten; the next of that name is given its
// Number. Bytes that Decode refuses are counted.
package ownership
