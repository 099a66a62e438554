// Where a message belongs that was said before those which are there.

/** The index at which something of that time belongs among lines of these times, all in ms: behind all that are not later. */
export function placeOf(times, at) {
  const later = times.findIndex((time) => time > at);
  return later < 0 ? times.length : later;
}
