// What members may do (PROTOCOL.md section 2).

/** What a member may do where nothing else is said. */
const USUAL = ['publish', 'chat'];

/** Reports whether a Member has a right: publish, chat, kick, lock, mute or close. */
export const may = (member, right) => (member.rights ?? USUAL).includes(right);
