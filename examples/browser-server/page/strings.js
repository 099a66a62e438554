// Every word the page says, in the languages it knows.

const STRINGS = {
  en: {
    tagline: 'Calls in the browser: pick a room, tell a friend.',
    nickname: 'Nickname', room: 'Room', join: 'Join', joining: 'Joining…',
    openRooms: 'Open rooms', noRooms: 'Nobody is here yet. Open a room of your own.',
    people: (n) => (n === 1 ? '1 person' : `${n} people`),
    yourName: 'Your name', rename: 'Rename', copyLink: 'Copy link', copied: 'Copied',
    you: (name) => `${name || 'No name'} (you)`, unnamed: 'No name', screenOf: (name) => `${name}: screen`,
    mute: 'Mute', unmute: 'Unmute', cameraOff: 'Camera off', cameraOn: 'Camera on',
    share: 'Share screen', unshare: 'Stop sharing',
    cameras: 'Camera', microphones: 'Microphone', noCamera: 'No camera', noMicrophone: 'No microphone',
    chat: 'Chat', message: 'Message', send: 'Send', leave: 'Leave', settings: 'Camera and microphone',
    mutedMark: 'muted', deviceNumber: (n) => `Device ${n}`, unlock: 'Tap to start the sound',
    alone: 'Nobody else is here yet. Copy the link and send it to someone.',
    unread: (n) => (n === 1 ? '1 unread message' : `${n} unread messages`),
    came: (name) => `${name} came in`, went: (name) => `${name} left`, renamed: (old, name) => `${old} is now ${name}`,
    removed: (name) => `${name} was removed`,
    unseen: (name) => `${name} cannot receive your picture`, unheard: (name) => `${name} cannot receive your sound`, unshown: (name) => `${name} cannot receive your screen`,
    manage: 'More', manageWho: (name) => `What to do with ${name}`, cancel: 'Cancel', askMute: 'Ask to mute', askedThem: (name) => `You asked ${name} to mute`,
    remove: 'Remove from the room', removeWho: (name) => `Remove ${name}?`,
    removeHow: 'They have to leave at once. To keep them from coming back under another name, lock the room too.',
    lockRoom: 'Lock room', unlockRoom: 'Unlock room', roomLocked: 'The room is locked',
    lockedBy: (name) => `${name} locked the room`, unlockedBy: (name) => `${name} unlocked the room`,
    lockedYou: 'You locked the room', unlockedYou: 'You unlocked the room', lockedNow: 'The room is locked', unlockedNow: 'The room is no longer locked',
    closeRoom: 'Close room', closeWhich: (room) => `Close ${room} for everyone?`, closeHow: 'The call ends for everyone in it, including you.',
    askedSound: (name) => `${name} asks you to mute your microphone.`, askedPicture: (name) => `${name} asks you to turn your camera off.`,
    askedAll: (name) => `${name} asks you to mute your microphone and turn your camera off.`,
    quietSound: 'Mute', quietPicture: 'Camera off', quietAll: 'Turn both off', notNow: 'Not now',
    connecting: 'Connecting…', interrupted: 'Reconnecting…', failed: 'Trying again…', connected: '',
    hubLost: 'The server is out of reach. The call goes on; reconnecting…',
    insecure: 'Calls need a secure page: open this one over https, or on localhost.',
    unsupported: 'This browser cannot take part in calls. Use a current Chrome, Edge, Firefox or Safari.',
    unreachable: 'The server does not answer. Try again.',
    safetyNumber: 'Safety number', safetyWith: (name) => `Safety number with ${name}`, close: 'Close',
    safetyHow: 'Compare it with theirs in person or by phone. If both numbers are the same, nobody is between you, not even this server.',
    kicked: 'You were removed from the room.', room_closed: 'The room was closed.', replaced: 'You joined this room from elsewhere.',
    no_such_member: 'They are no longer here.',
    room_full: 'The room is full.', hub_full: 'The server is full.', refused: 'The server did not let you in.',
    tokenRefused: 'The token in your link is not valid here, or no longer valid. Join again without it.',
    bad_room: 'That room name cannot be used: it is too long or has invisible characters.',
    bad_name: 'That nickname cannot be used: it is too long or has invisible characters.',
    bad_chat: 'That message is too long.',
    shutting_down: 'The server is restarting. Try again in a moment.',
    locked: 'The room is locked.', expired: 'Your time in this room is over.', forbidden: 'You may not do that here.',
    too_many: 'Too many attempts. Try again in a moment.',
    otherError: (code) => `That did not work (${code}).`,
    mediaRefused: 'The browser may not use the camera or microphone, so others cannot see or hear you. You can allow it in the address bar.',
    mediaMissing: 'No camera or microphone was found. You can see and hear the others.',
    mediaBusy: 'The camera or microphone is used by another program.',
    mediaEnded: 'The camera or microphone was unplugged.',
    screenRefused: 'The screen was not shared.',
  },
  ko: {
    tagline: '브라우저로 하는 화상 통화. 방을 고르고 친구에게 알려 주세요.',
    nickname: '별명', room: '방', join: '들어가기', joining: '들어가는 중…',
    openRooms: '열린 방', noRooms: '아직 아무도 없습니다. 방을 하나 열어 보세요.',
    people: (n) => `${n}명`,
    yourName: '내 이름', rename: '이름 바꾸기', copyLink: '링크 복사', copied: '복사했습니다',
    you: (name) => `${name || '이름 없음'} (나)`, unnamed: '이름 없음', screenOf: (name) => `${name}: 화면`,
    mute: '음소거', unmute: '음소거 해제', cameraOff: '카메라 끄기', cameraOn: '카메라 켜기',
    share: '화면 공유', unshare: '공유 중지',
    cameras: '카메라', microphones: '마이크', noCamera: '카메라 없음', noMicrophone: '마이크 없음',
    chat: '채팅', message: '메시지', send: '보내기', leave: '나가기', settings: '카메라와 마이크',
    mutedMark: '음소거됨', deviceNumber: (n) => `장치 ${n}`, unlock: '눌러서 소리 켜기',
    alone: '아직 아무도 없습니다. 링크를 복사해 보내 주세요.',
    unread: (n) => `읽지 않은 메시지 ${n}개`,
    came: (name) => `${name} 님이 들어왔습니다`, went: (name) => `${name} 님이 나갔습니다`, renamed: (old, name) => `${old} 님이 ${name}(으)로 이름을 바꿨습니다`,
    removed: (name) => `${name} 님을 내보냈습니다`,
    unseen: (name) => `${name} 님은 내 영상을 받을 수 없습니다`, unheard: (name) => `${name} 님은 내 소리를 받을 수 없습니다`, unshown: (name) => `${name} 님은 내 화면을 받을 수 없습니다`,
    manage: '더 보기', manageWho: (name) => `${name} 님 관리`, cancel: '취소', askMute: '음소거 부탁하기', askedThem: (name) => `${name} 님에게 음소거를 부탁했습니다`,
    remove: '방에서 내보내기', removeWho: (name) => `${name} 님을 내보낼까요?`,
    removeHow: '바로 방에서 나가게 됩니다. 다른 이름으로 다시 들어오지 못하게 하려면 방도 잠그세요.',
    lockRoom: '방 잠그기', unlockRoom: '방 잠금 풀기', roomLocked: '방이 잠겨 있음',
    lockedBy: (name) => `${name} 님이 방을 잠갔습니다`, unlockedBy: (name) => `${name} 님이 방의 잠금을 풀었습니다`,
    lockedYou: '방을 잠갔습니다', unlockedYou: '방의 잠금을 풀었습니다', lockedNow: '방이 잠겼습니다', unlockedNow: '방의 잠금이 풀렸습니다',
    closeRoom: '방 닫기', closeWhich: (room) => `${room} 방을 닫을까요?`, closeHow: '나를 포함해 방에 있는 모두의 통화가 끝납니다.',
    askedSound: (name) => `${name} 님이 마이크를 꺼 달라고 합니다.`, askedPicture: (name) => `${name} 님이 카메라를 꺼 달라고 합니다.`,
    askedAll: (name) => `${name} 님이 마이크와 카메라를 꺼 달라고 합니다.`,
    quietSound: '음소거', quietPicture: '카메라 끄기', quietAll: '둘 다 끄기', notNow: '나중에',
    connecting: '연결하는 중…', interrupted: '다시 연결하는 중…', failed: '다시 시도하는 중…', connected: '',
    hubLost: '서버에 닿지 않습니다. 통화는 계속되며 다시 연결하고 있습니다…',
    insecure: '통화에는 보안 페이지가 필요합니다. https 또는 localhost로 열어 주세요.',
    unsupported: '이 브라우저로는 통화할 수 없습니다. 최신 Chrome, Edge, Firefox, Safari를 쓰세요.',
    unreachable: '서버가 응답하지 않습니다. 다시 시도해 주세요.',
    safetyNumber: '안전 번호', safetyWith: (name) => `${name} 님과의 안전 번호`, close: '닫기',
    safetyHow: '직접 만나거나 전화로, 상대 화면의 번호와 견주어 보세요. 양쪽이 같으면 이 서버를 포함해 아무도 두 사람 사이에 끼어 있지 않습니다.',
    kicked: '방에서 내보내졌습니다.', room_closed: '방이 닫혔습니다.', replaced: '다른 곳에서 이 방에 들어왔습니다.',
    no_such_member: '이미 나간 사람입니다.',
    room_full: '방이 가득 찼습니다.', hub_full: '서버가 가득 찼습니다.', refused: '서버가 입장을 거절했습니다.',
    tokenRefused: '링크에 든 토큰을 여기서는 쓸 수 없거나 이제 쓸 수 없습니다. 다시 들어가면 토큰 없이 들어갑니다.',
    bad_room: '쓸 수 없는 방 이름입니다. 너무 길거나 보이지 않는 글자가 있습니다.',
    bad_name: '쓸 수 없는 별명입니다. 너무 길거나 보이지 않는 글자가 있습니다.',
    bad_chat: '메시지가 너무 깁니다.',
    shutting_down: '서버가 다시 시작하고 있습니다. 잠시 뒤 다시 시도해 주세요.',
    locked: '방이 잠겨 있습니다.', expired: '이 방에 머물 수 있는 시간이 끝났습니다.', forbidden: '여기서는 그렇게 할 수 없습니다.',
    too_many: '시도가 너무 많습니다. 잠시 후 다시 해 보세요.',
    otherError: (code) => `문제가 생겼습니다 (${code}).`,
    mediaRefused: '브라우저가 카메라나 마이크를 쓸 수 없어 다른 사람이 나를 보거나 들을 수 없습니다. 주소창에서 허용할 수 있습니다.',
    mediaMissing: '카메라나 마이크를 찾지 못했습니다. 다른 사람을 보고 들을 수는 있습니다.',
    mediaBusy: '다른 프로그램이 카메라나 마이크를 쓰고 있습니다.',
    mediaEnded: '카메라나 마이크가 뽑혔습니다.',
    screenRefused: '화면이 공유되지 않았습니다.',
  },
};

export const language = navigator.languages.map((l) => l.slice(0, 2)).find((l) => l in STRINGS) ?? 'en';

/** The words for a key, in the language of the browser. */
export function t(key, ...values) {
  if (!Object.hasOwn(STRINGS[language], key)) return undefined; // codes come from the hub
  const words = STRINGS[language][key];
  return typeof words === 'function' ? words(...values) : words;
}

/** What to say about an error of noom.js. */
export const errorText = (error) => (error.code === 'insecure_context' ? t('insecure') : t(error.code) ?? t('otherError', error.code ?? error.name));

/** Fills in the words of every element that names them. */
export function translate(root) {
  document.documentElement.lang = language;
  for (const e of root.querySelectorAll('[data-t]')) e.textContent = t(e.dataset.t);
  for (const e of root.querySelectorAll('[data-t-label]')) e.setAttribute('aria-label', t(e.dataset.tLabel));
  for (const e of root.querySelectorAll('[data-t-title]')) e.title = t(e.dataset.tTitle);
  for (const e of root.querySelectorAll('[data-t-placeholder]')) e.placeholder = t(e.dataset.tPlaceholder);
}
