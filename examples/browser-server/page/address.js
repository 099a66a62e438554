// The address of the page: #/ROOM fills in the room, and #/ROOM?token=TOKEN brings a token for it
// (noom token makes them), which may give rights. The part behind the # never goes to the server,
// nor into its log. The token is removed from the address, because people copy that, and kept in
// this tab, so that a reload has it too.

const FORM = /^#\/?(.*?)(?:\?token=([\w.-]+))?$/s;
const key = (room) => `token ${room.trim().normalize('NFC')}`;

/** The room in the address; '' if there is none. */
export function roomInAddress() {
  const [, encoded, token] = FORM.exec(location.hash) ?? [];
  if (token) history.replaceState(null, '', `#/${encoded}`);
  try {
    const room = decodeURIComponent(encoded ?? '');
    if (token) sessionStorage.setItem(key(room), token);
    return room;
  } catch {
    return ''; // no link of ours
  }
}

/** The token there is for a room, or undefined. */
export const tokenFor = (room) => sessionStorage.getItem(key(room)) ?? undefined;

/** The token for a room is no longer valid: it must not keep out a member that may come without. */
export const forgetToken = (room) => sessionStorage.removeItem(key(room));
