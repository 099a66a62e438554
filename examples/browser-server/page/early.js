// Keeps what is sent in the lobby before page.js and its words are there. No module, because those wait for each other.

document.addEventListener('submit', (event) => {
  if (event.target.id !== 'join' || event.target.onsubmit) return;
  event.preventDefault();
  event.target.dataset.sent = '';
});
