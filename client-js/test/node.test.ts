// With real sockets, a real clock and a real server; the package as its users get it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { test, type TestContext } from "node:test";
import { Events, Link, Room, type LinkOptions, type Outcome } from "wharf-client";
import { WebSocket } from "ws";
import { Told } from "./fake/told.js";
import { History, RoomServer } from "./room-server.js";

const backoff = { baseMs: 20, capMs: 50 };

async function start(
  context: TestContext,
  history = new History("e"),
  port = 0,
): Promise<RoomServer> {
  const server = await RoomServer.start(history, port);
  context.after(() => server.crash().catch(() => {}));
  return server;
}

function linkTo(context: TestContext, url: LinkOptions["url"], options: Partial<LinkOptions> = {}) {
  const link = new Link({ url, WebSocket, backoff, ...options });
  context.after(() => link.close());
  const connected = new Told<{ again: boolean }>();
  const disconnected = new Told<Outcome>();
  link.on("connected", connected.add);
  link.on("disconnected", disconnected.add);
  return { link, connected, disconnected };
}

test("text and bytes come back as they were sent", async (context) => {
  const server = await start(context);
  const { link } = linkTo(context, server.url("/echo"));
  const heard = new Told<string | ArrayBuffer>();
  link.on("message", heard.add);
  link.send("Grüße, 世界 🌍");
  link.send(new Uint8Array([1, 2, 3]));
  link.open();
  assert.equal(await heard.next(), "Grüße, 世界 🌍");
  const bytes = await heard.next();
  assert.ok(bytes instanceof ArrayBuffer);
  assert.deepEqual([...new Uint8Array(bytes)], [1, 2, 3]);
  const outcome = await link.close(4321, "bye");
  assert.deepEqual([outcome.code, outcome.wasClean, outcome.final], [4321, true, true]);
});

test("a room survives its server, twice: resumed while its history lasts, a gap when it is lost", async (context) => {
  const history = new History("first");
  const first = await start(context, history);
  const { port } = first;
  const { link, connected, disconnected } = linkTo(context, first.url("/room?name=ada"));
  const told = new Told<unknown>();
  const room = new Room<string>(link);
  room.on("welcome", ({ resumed }) => told.add({ resumed }));
  room.on("message", ({ message }) => told.add(message));
  room.on("gap", () => told.add("gap"));
  link.open();
  assert.deepEqual(await told.next(), { resumed: undefined });
  first.publish("one");
  assert.equal(await told.next(), "one");

  await first.crash();
  assert.equal((await disconnected.next()).code, 1006);
  history.messages.push("two", "three");
  const second = await start(context, history, port);
  assert.deepEqual(await told.next(), { resumed: true });
  second.publish("four");
  for (const message of ["two", "three", "four"]) assert.equal(await told.next(), message);
  assert.equal(second.upgrades.at(-1), "/room?name=ada&since=first%3A1");

  await second.crash();
  const third = await start(context, new History("second"), port);
  assert.equal(await told.next(), "gap");
  assert.deepEqual(await told.next(), { resumed: false });
  third.publish("five");
  assert.equal(await told.next(), "five");
  assert.equal(room.position, "second:1");
  assert.deepEqual(told.rest, []);
  assert.deepEqual(
    [await connected.next(), await connected.next()],
    [{ again: false }, { again: true }],
  );
});

test("calls, refusals and questions of the server", async (context) => {
  const server = await start(context);
  const { link } = linkTo(context, server.url("/events"));
  const events = new Events<{
    calls: {
      double: { data: number; reply: number };
      fail: { data: null; reply: never };
      ask: { data: string; reply: string };
    };
    requests: { question: { data: string; reply: string } };
  }>(link);
  events.answer("question", (question) => `${question} Yes.`);
  link.open();
  const doubled = await Promise.all([1, 2, 3].map((number) => events.call("double", number)));
  assert.deepEqual(doubled, [2, 4, 6]);
  await assert.rejects(events.call("fail", null), { code: "NO", message: "not today" });
  assert.equal(await events.call("ask", "Are you there?"), "Are you there? Yes.");
});

test("a refused upgrade is tried again with a fresh token", async (context) => {
  const server = await start(context);
  server.refuses = 401;
  const { link, connected, disconnected } = linkTo(context, async ({ number }) =>
    server.url(`/echo?token=${number}`),
  );
  link.open();
  const { code, opened, final } = await disconnected.next();
  assert.deepEqual([code, opened, final], [1006, false, false]);
  server.refuses = undefined;
  await connected.next();
  assert.equal(server.upgrades[1], "/echo?token=2");
});

test("a code of the application ends the link", async (context) => {
  const server = await start(context);
  const { link, connected, disconnected } = linkTo(context, server.url("/echo"));
  link.open();
  await connected.next();
  server.closeAll(4000, "somebody else sits here now");
  const { code, reason, final } = await disconnected.next();
  assert.deepEqual([code, reason, final], [4000, "somebody else sits here now", true]);
});

test("a server that accepts TCP and says nothing is given up in time, and so is one that stops answering", async (context) => {
  const silent: Server = createServer(() => {});
  context.after(() => silent.close());
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const { link, disconnected } = linkTo(context, `ws://127.0.0.1:${port}/`, { dialTimeoutMs: 100 });
  link.open();
  assert.equal((await disconnected.next()).error?.code, "WHARF_DIAL_TIMEOUT");
  await link.close();

  // `/room` answers nothing that it is asked.
  const server = await start(context);
  const liveness = { quietMs: 50, answerMs: 50, probe: "are you there?" };
  const quiet = linkTo(context, server.url("/room"), { liveness });
  quiet.link.open();
  assert.equal((await quiet.disconnected.next()).error?.code, "WHARF_HEARTBEAT_TIMEOUT");
  assert.deepEqual(await quiet.connected.next(), { again: false });
  assert.deepEqual(await quiet.connected.next(), { again: true });
});
