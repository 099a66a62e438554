// RTCPeerConnections with the ICE servers there are. With one server that cannot be used, because of a bad URL or TURN
// without credentials, browsers make no connection at all. Such are left out.

/** A new one, with those servers that the browser takes. */
export function newPeerConnection({ RTCPeerConnection }, iceServers) {
  const config = { bundlePolicy: 'max-bundle' };
  try {
    return new RTCPeerConnection({ ...config, iceServers });
  } catch {
    const pc = new RTCPeerConnection(config);
    giveServers(pc, iceServers);
    return pc;
  }
}

/** Those servers that the browser takes are for whatever a connection gathers from now on. */
export function giveServers(pc, iceServers) {
  if (pc.signalingState === 'closed') return;
  const give = (list) => pc.setConfiguration({ ...pc.getConfiguration(), iceServers: list });
  try {
    give(iceServers);
  } catch {
    give(iceServers.filter((server) => {
      try {
        give([server]);
        return true;
      } catch (error) {
        const text = error.message.replace(/(turns?|stuns?):\S*@/g, '$1:…@'); // people put a password there
        console.warn(`noom: an ICE server that cannot be used is left out: ${text}`);
        return false;
      }
    }));
  }
}
