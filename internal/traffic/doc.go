// Package traffic makes what one connection sends fit its path. A Control is an interceptor, the last but one before the
// network: it numbers every RTP packet for the whole transport (draft-holmer-rmcat-transport-wide-cc-extensions-01),
// retransmissions included, lets the pictures leave evenly, bounds what is sent again, and sends padding when the estimator
// wants to know whether the path takes more. What the peer reports reaches it from the buffers in which RTCP waits for
// pion. Package bandwidth, which it drives, decides.
package traffic
