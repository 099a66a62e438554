// The seed's signaling: a browser "Zoom clone" over socket.io. A nickname, a
// room, and offer, answer and candidates emitted to everyone else in it.
"use strict";
const http = require("http");
const { Server } = require("socket.io");

const server = http.createServer();
const io = new Server(server);
const others = (socket, room, event, ...args) => socket.to(room).emit(event, ...args);

io.on("connection", (socket) => {
  socket.nickname = "Anonymous";
  socket.on("enter_room", (nickname, room, done) => {
    socket.nickname = nickname;
    socket.join(room);
    if (done) done();
    others(socket, room, "welcome", nickname);
  });
  socket.on("offer", (offer, room) => others(socket, room, "offer", offer));
  socket.on("answer", (answer, room) => others(socket, room, "answer", answer));
  socket.on("ice", (candidate, room) => others(socket, room, "ice", candidate));
  socket.on("new_message", (text, room, done) => {
    others(socket, room, "new_message", `${socket.nickname}: ${text}`);
    if (done) done();
  });
  socket.on("disconnecting", () => {
    for (const room of socket.rooms) others(socket, room, "bye", socket.nickname);
  });
});

server.listen(0, "127.0.0.1", 4096, () => console.log(`127.0.0.1:${server.address().port}`));
process.on("SIGUSR2", () => global.gc());
process.stdin.on("end", () => process.exit()).resume(); // ends with the driver
