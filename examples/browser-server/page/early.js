// Keeps what is sent in the lobby before page.js and its words are there. No module, because those wait for each other.

document.getElementById('join').onsubmit = (event) => {
  event.preventDefault();
  event.target.dataset.sent = '';
};
