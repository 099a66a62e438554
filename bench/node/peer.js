// The PeerJS server with its defaults, but for the number of clients.
"use strict";
const { PeerServer } = require("peer");

PeerServer({ host: "127.0.0.1", port: 0, path: "/", concurrent_limit: 20000 }, (server) =>
  console.log(`127.0.0.1:${server.address().port}`));
process.on("SIGUSR2", () => global.gc());
process.stdin.on("end", () => process.exit()).resume(); // ends with the driver
