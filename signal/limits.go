package signal

// Bounds of the protocol (PROTOCOL.md section 6). A hub may have lower ones.
const (
	MaxFrame      = 65536     // bytes in a frame
	MaxName       = 128       // bytes in a room's or member's name
	MaxAccount    = 256       // bytes in a member's account
	MaxChat       = 4096      // bytes in a chat text
	MaxToken      = 4096      // bytes in a token
	MaxMembers    = 64        // members in a room, by default
	MaxSDP        = 49152     // bytes in a description
	MaxSections   = 64        // media sections in a description
	MaxCandidates = 32        // candidates in a frame
	MaxCandidate  = 1024      // bytes in a candidate
	MaxGeneration = 128       // candidates in a generation
	MaxTracks     = 64        // rows in a track table
	MaxHeight     = 16384     // pixels in the height of a picture
	MaxLabel      = 64        // characters in a track id or chat id
	MaxSends      = 16        // MIME types of the tracks that a newcomer has
	MaxMIME       = 64        // characters in each of them
	MaxCard       = 1536      // bytes in the compressed offer of a card
	MaxNumber     = 1<<31 - 1 // epochs, seqs, acks, versions
	MaxRetry      = 3_600_000 // milliseconds after which to come back
	MaxTime       = 1<<53 - 1 // milliseconds since 1970: what every JSON reader takes exactly
	MaxData       = 61440     // payload bytes in a data message
	MaxUnacked    = 1048576   // unacknowledged payload bytes per link
	MaxInFlight   = 32        // unacknowledged pair frames per link
)
