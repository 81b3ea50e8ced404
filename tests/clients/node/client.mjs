// Checks a Wharf fixture server with the Node package `ws`.
//
//   node client.mjs ws://127.0.0.1:9101
//
// Prints `ok <name>` or `FAILED <name>: <why>` per check. Exits 1 if one failed.
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { equal, runChecks, session, standardChecks, within } from "../browser/checks.mjs";

// `ws` is installed into run.sh's cache and not beside this file, to keep the source tree clean.
const home = process.env.WHARF_NODE_HOME;
const { WebSocket } = createRequire(home ? join(home, "package.json") : import.meta.url)("ws");

const base = process.argv[2]?.replace(/\/$/, "");
if (!base) throw new Error("usage: node client.mjs ws://HOST:PORT");

/** Starts to listen at once, so that a pong which comes early is not missed. */
function pongOf(socket, payload) {
  return within(once(socket, "pong"), "pong").then(([data]) => equal(String(data), payload, "the pong"));
}

// What the package can do and the web's interface cannot.
const checks = {
  ...standardChecks(WebSocket, base),
  fragments: () =>
    session(WebSocket, `${base}/echo`, async (connection, socket) => {
      const parts = ["frag", "", "men", "ted"];
      parts.forEach((part, index) => socket.send(part, { fin: index === parts.length - 1 }));
      await connection.receives("fragmented", "the echo");
      socket.send(Uint8Array.of(0, 255), { fin: false });
      socket.send(Uint8Array.of(128), { fin: true });
      await connection.receives(Uint8Array.of(0, 255, 128), "the echo");
    }),
  "compressed-fragments-from-the-first-byte": () =>
    session(
      WebSocket,
      `${base}/deflate-takeover`,
      async (connection, socket) => {
        for (const text of ["tiny", "rows and rows ".repeat(1000), "tiny"]) {
          socket.send(text, { fin: false });
          socket.send(text, { fin: true });
          await connection.receives(text + text, "the echo");
        }
      },
      [],
      { perMessageDeflate: { threshold: 0, serverMaxWindowBits: 10, clientMaxWindowBits: 9 } },
    ),
  "ping-between-fragments": () =>
    session(WebSocket, `${base}/echo`, async (connection, socket) => {
      socket.send("first ", { fin: false });
      const pong = pongOf(socket, "in between");
      socket.ping("in between");
      // The server must answer in the middle of the message: its end waits for the pong.
      await pong;
      socket.send("second", { fin: true });
      await connection.receives("first second", "the echo");
    }),
  ping: () =>
    session(WebSocket, `${base}/echo`, async (connection, socket) => {
      for (const payload of ["", "hello", "x".repeat(125)]) {
        const pong = pongOf(socket, payload);
        socket.ping(payload);
        await pong;
      }
      await connection.echoes("still here");
    }),
  "request-header": () =>
    session(
      WebSocket,
      `${base}/rooms/lobby`,
      async (connection) => {
        const seen = JSON.parse((await connection.next("message")).data);
        equal(seen.name, "node", "name");
      },
      [],
      { headers: { "x-client-name": "node" } },
    ),
  "refused-upgrade-status": async () => {
    const socket = new WebSocket(`${base}/teapot`);
    const [, response] = await within(once(socket, "unexpected-response"), "answer");
    equal(response.statusCode, 418, "the status");
    equal(response.headers["x-reason"], "teapot", "the header x-reason");
    response.destroy();
  },
};

const { passed, failed } = await runChecks(checks, console.log);
console.log(`${passed} passed, ${failed} failed`);
// Not exitCode: a connection that a failed check left open must not keep the process alive.
process.exit(failed ? 1 : 0);
