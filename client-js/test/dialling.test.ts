import assert from "node:assert/strict";
import { test } from "node:test";
import { Link, type Attempt, type LinkOptions } from "../src/index.js";
import { settled } from "./fake/clock.js";
import { replaceGlobal } from "./fake/global.js";
import { World } from "./fake/world.js";

async function dialled(url: LinkOptions["url"]) {
  const world = new World({ url });
  world.link.open();
  await settled();
  return world;
}

test("an address may be a string, a URL, http, or a target with subprotocols", async () => {
  assert.equal(
    (await dialled("wss://server.example/a?b=c")).socket.url,
    "wss://server.example/a?b=c",
  );
  assert.equal(
    (await dialled(new URL("https://server.example:81/"))).socket.url,
    "wss://server.example:81/",
  );
  assert.equal((await dialled("http://[::1]/")).socket.url, "ws://[::1]/");
  const { socket } = await dialled({
    url: "ws://server.example/",
    protocols: ["chat.v2", "bearer.abc"],
  });
  assert.deepEqual(socket.protocols, ["chat.v2", "bearer.abc"]);
});

test("a path is relative to the page", async (context) => {
  replaceGlobal(context, "location", { href: "https://app.example/page?q#here" });
  assert.equal((await dialled("/rooms/lobby")).socket.url, "wss://app.example/rooms/lobby");
});

for (const [what, url] of [
  ["no URL", "harbour"],
  ["another scheme", "ftp://server.example/"],
  ["a fragment", "ws://server.example/#here"],
] as const) {
  test(`${what} is a final error, and nothing is dialled`, async () => {
    const world = await dialled(url);
    assert.equal(world.outcome.error?.code, "WHARF_URL");
    assert.equal(world.outcome.final, true);
    assert.equal(world.sockets.length, 0);
  });
}

test("what the socket's class refuses is a final error", async () => {
  const refusal = new SyntaxError("twice the same");
  const world = new World({
    WebSocket: class {
      constructor() {
        throw refusal;
      }
    } as never,
  });
  world.link.open();
  await settled();
  assert.equal(world.outcome.error?.code, "WHARF_URL");
  assert.equal(world.outcome.error?.cause, refusal);
  assert.equal(world.outcome.final, true);
});

test("a function is asked anew for each dial", async () => {
  const world = new World({ url: async ({ number }) => `ws://server.example/${number}` });
  world.link.open();
  await settled();
  world.socket.breaks();
  await world.redials();
  assert.deepEqual(
    world.sockets.map(({ url }) => url),
    ["ws://server.example/1", "ws://server.example/2"],
  );
});

test("a function that fails is tried again, as a dial is", async () => {
  const failure = new Error("no token");
  let works = false;
  const world = await dialled(async () => {
    if (!works) throw failure;
    return "ws://server.example/";
  });
  assert.equal(world.outcome.error?.code, "WHARF_TARGET");
  assert.equal(world.outcome.error?.cause, failure);
  assert.deepEqual(
    [world.outcome.final, world.outcome.opened, world.outcome.code],
    [false, false, 1006],
  );
  works = true;
  (await world.redials()).accepts();
  assert.equal(world.link.state, "open");
});

test("a function that never answers is given up at the deadline, and told so", async () => {
  let attempt: Attempt | undefined;
  let answer = (_url: string): void => {};
  const world = new World({
    url: (asked) => {
      attempt = asked;
      return new Promise((resolve) => (answer = resolve));
    },
    dialTimeoutMs: 3000,
    backoff: { baseMs: 1_000_000 },
  });
  world.link.open();
  await world.clock.pass(2999);
  assert.equal(attempt?.signal.aborted, false);
  await world.clock.pass(1);
  assert.equal(world.outcome.error?.code, "WHARF_DIAL_TIMEOUT");
  assert.equal(attempt?.signal.aborted, true);
  answer("ws://server.example/");
  await settled();
  assert.equal(world.sockets.length, 0, "an answer that is too late is not dialled");
});

test("a server that never answers is given up at the deadline; what its socket says later is not heard", async () => {
  const world = new World({ dialTimeoutMs: 3000 });
  world.link.open();
  await world.clock.pass(3000);
  assert.equal(world.outcome.error?.code, "WHARF_DIAL_TIMEOUT");
  const [late] = world.sockets;
  assert.deepEqual(late?.closedWith, []);
  late?.accepts();
  late?.breaks();
  assert.deepEqual(world.told, ["disconnected 1006"]);
});

test("without a global WebSocket, and without another, there is no link", (context) => {
  replaceGlobal(context, "WebSocket", undefined);
  assert.throws(() => new Link({ url: "ws://server.example/" }), { code: "WHARF_CONFIG" });
});
