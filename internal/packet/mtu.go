package packet

// ReceiveMTU bounds the packets read from the network, in bytes. Larger ones are
// dropped; no path in use carries more in one datagram.
const ReceiveMTU = 1500
