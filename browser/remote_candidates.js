// Which candidates of the other end are taken: the browser sends packets to
// where they say. The twin of Go's internal/conduct/candidates.go. Pure.

const MOST = 40; // of one generation: other addresses or ports
const ONE_IP = 12; // of them with one IP address
const NAMES = 8; // of them with a name

// Below 1024 ports are services'; of the others these answer with more than they were asked.
const SERVICES = new Set([1434, 1900, 3702, 5060, 5353, 5355, 11211]);
const OPEN = new Set([80, 443]); // where nothing else gets through

// Firefox takes the name in any case, and blanks around it.
const NAME = /^a=[:\t ]*candidate[:\t ]+/i;

/** The lines of a description, with their ends. */
export const linesOf = (sdp) => sdp.split(/(?<=\n)|(?<=\r)(?!\n)/);

/** Whether a line of a description is one that a browser may take for a candidate. */
export const isCandidate = (line) => NAME.test(line);

/** The candidates of one generation that are taken. */
export class RemoteCandidates {
  #taken = new Set(); // transport, address and port
  #ips = new Map(); // address → how many
  #names = 0;
  #loopback;

  /** loopback: whether peers are looked for on this machine. */
  constructor(loopback) {
    this.#loopback = loopback;
  }

  /** Judges one candidate attribute (RFC 8839 section 5.1). lookup() is asked before the first use of a name. */
  take(text, lookup) {
    const [, component, transport, , host, number, typ] = text.replace(NAME, '').replace(/^candidate:/, '').trim().split(/\s+/);
    if (component === undefined || typ !== 'typ' || !/^\d{1,5}$/.test(number)) return false;
    const protocol = transport.toLowerCase();
    const port = Number(number);
    const active = protocol === 'tcp' && !/tcptype (passive|so)/i.test(text); // it dials, and we never do
    if (protocol !== 'udp' && protocol !== 'tcp') return false;
    if (!active && !isPeerPort(port)) return false;
    const address = host.toLowerCase();
    const named = !isIP(address);
    if (named ? !isMulticastName(address) : !isPeerAddress(address, this.#loopback)) return false;
    const key = `${protocol} ${address} ${port}`;
    if (this.#taken.has(key)) return true; // it rides on each description
    const same = this.#ips.get(address) ?? 0;
    if (this.#taken.size >= MOST || same >= ONE_IP) return false;
    if (named && (this.#names >= NAMES || !lookup())) return false;
    this.#taken.add(key);
    if (named) this.#names++;
    else this.#ips.set(address, same + 1);
    return true;
  }
}

const isPeerPort = (port) => port <= 65535 && (OPEN.has(port) || (port >= 1024 && !SERVICES.has(port)));

const isIP = (address) => address.includes(':') || /^\d+(\.\d+){3}$/.test(address);

// One label below .local is asked for in the own network alone (RFC 8828); a
// browser would ask its DNS server for any other name.
const isMulticastName = (name) => /^[^.]{1,63}\.local$/.test(name);

function isPeerAddress(address, loopback) {
  const v4 = /^(?:.*:)?(\d+(?:\.\d+){3})$/.exec(address); // alone, or behind ::ffff:
  if (v4) {
    const [a, b] = v4[1].split('.').map(Number);
    if (a === 127) return loopback;
    return a > 0 && a < 224 && !(a === 169 && b === 254); // multicast, broadcast; link-local, where clouds keep secrets
  }
  const canonical = canonicalIPv6(address);
  if (canonical === '') return false;
  if (canonical === '::1') return loopback;
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(canonical);
  if (mapped) {
    const [high, low] = [parseInt(mapped[1], 16), parseInt(mapped[2], 16)];
    return isPeerAddress([high >> 8, high & 255, low >> 8, low & 255].join('.'), loopback);
  }
  return canonical !== '::' && !canonical.startsWith('ff');
}

// The shortest form (RFC 5952), which the browser's URL parser knows; '' if it is none.
function canonicalIPv6(address) {
  try {
    return new URL(`http://[${address.replace(/%.*/, '')}]/`).hostname.slice(1, -1);
  } catch {
    return '';
  }
}
