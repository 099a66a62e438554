// The keys of a call, and their list, behind ?.

const dialog = document.getElementById('keys');

/** Shows the list, or takes it away. */
export function toggle() {
  if (dialog.open) dialog.close();
  else dialog.showModal();
}

const hide = () => dialog.close();

/** Does what the keys say, until the end: acts are {KEY: [act, the id of what must not be hidden for it]}. */
export function follow(acts) {
  document.onkeydown = (event) => {
    if (event.repeat || event.target.matches('input:not([type=checkbox]), select, textarea')) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key > '~' ? event.code.replace('Key', '') : event.key; // a Korean keyboard may give another letter
    const [act, button] = acts[key.toLowerCase()] ?? [];
    if (!act || document.getElementById(button).hidden || (event.key === 'Enter' && event.target.matches('button, a'))) return;
    event.preventDefault();
    act();
  };
}

export function end() {
  document.onkeydown = null;
  hide();
}

dialog.querySelector('button').onclick = hide;
dialog.onclick = (event) => { if (event.target === dialog) hide(); }; // outside of it
