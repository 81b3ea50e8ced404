// Echoes with the npm package `ws`. Prints its port, and ends with its standard input.

import { createRequire } from "node:module";
import { join } from "node:path";

const home = process.env.WHARF_NODE_HOME;
const { WebSocketServer } = createRequire(home ? join(home, "package.json") : import.meta.url)("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: true });
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.on("listening", () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
