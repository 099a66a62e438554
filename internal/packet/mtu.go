package packet

// ReceiveMTU bounds the packets read from the network, in bytes; larger ones are
// dropped. No path in use carries more in one datagram.
const ReceiveMTU = 1500
