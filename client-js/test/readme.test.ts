// The README's example is `example.ts`, which compiles, and does what it seems to do.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { replaceGlobal } from "./fake/global.js";

// From where this is compiled to.
const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("the README's example is the one that is tested", () => {
  const [, example] = /^```ts\n(.*?)^```/ms.exec(read("README.md")) ?? [];
  assert.equal(example, read("test/example.ts"));
});

test("the example works", async (context) => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  context.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const closed = new Promise<{ url: string | undefined; protocol: string }>((resolve) => {
    server.on("connection", (socket, { url }) =>
      socket.on("close", () => resolve({ url, protocol: socket.protocol })),
    );
  });
  server.on("connection", (socket) => {
    const say = (value: unknown): void => socket.send(JSON.stringify(value));
    say({ welcome: { session: "s" } });
    say({ message: "going once" });
    say({ event: "confirm", data: { lot: "the boat" }, id: 1 });
    socket.on("message", (data: Buffer) => {
      const { event, id, reply, data: answer } = JSON.parse(data.toString());
      if (event === "bid") say({ reply: id, data: { accepted: true } });
      if (reply === 1 && answer === true) say({ event: "sold", data: { lot: "the boat" } });
      if (reply === 1) setImmediate(() => socket.close(1000));
    });
  });

  const lines: string[] = [];
  context.mock.method(console, "log", (line: string) => lines.push(line));
  replaceGlobal(context, "WebSocket", WebSocket);
  replaceGlobal(context, "location", { href: `http://127.0.0.1:${port}/page` });
  replaceGlobal(
    context,
    "fetch",
    async (path: string) => new Response(path === "/token" ? "abc" : undefined),
  );
  await import("./example.js");
  assert.deepEqual(await closed, { url: "/auction", protocol: "auction.v1" });
  for (const line of ["connected", "going once", "the bid stands", "the boat is sold"]) {
    assert.ok(lines.includes(line), `it did not say "${line}": ${lines.join(" | ")}`);
  }
});
