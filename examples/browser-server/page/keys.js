// The list of keys, behind ?.

const dialog = document.getElementById('keys');

/** Shows the list, or takes it away. */
export function toggle() {
  if (dialog.open) dialog.close();
  else dialog.showModal();
}

export const hide = () => dialog.close();

dialog.querySelector('button').onclick = hide;
dialog.onclick = (event) => { if (event.target === dialog) hide(); }; // outside of it
