import assert from "node:assert/strict";
import { test } from "node:test";
import { CallError, Events, Room, type EventsOptions } from "../src/index.js";
import { settled } from "./fake/clock.js";
import { reportedErrors } from "./fake/global.js";
import { World } from "./fake/world.js";

type Auction = {
  events: { sold: { lot: string } };
  requests: {
    confirm: { data: { lot: string }; reply: boolean };
    age: { data: undefined; reply: number };
  };
};

async function auction(options: EventsOptions = {}) {
  const world = new World();
  const events = new Events<Auction>(world.link, options);
  await world.connect();
  return { world, events };
}

test("events of the server are told by name", async () => {
  const { world, events } = await auction();
  const sold: string[] = [];
  const end = events.on("sold", ({ lot }) => sold.push(lot));
  world.socket.says({ event: "sold", data: { lot: "boat" } });
  world.socket.says({ event: "constructor", data: { lot: "nobody listens" } });
  end();
  world.socket.says({ event: "sold", data: { lot: "oar" } });
  assert.deepEqual(sold, ["boat"]);
});

test("requests of the server are answered, with the id as it came", async () => {
  const { world, events } = await auction();
  events.answer("confirm", async ({ lot }) => lot === "boat");
  events.answer("age", () => 7);
  for (const request of [
    { event: "confirm", data: { lot: "boat" }, id: "a" },
    { event: "confirm", data: { lot: "oar" }, id: 0 },
    { event: "age", id: 9 },
  ]) {
    world.socket.says(request);
    await settled();
  }
  assert.deepEqual(world.socket.said, [
    { reply: "a", data: true },
    { reply: 0, data: false },
    { reply: 9, data: 7 },
  ]);
});

test("an answer without a value is a reply, too", async () => {
  const { world, events } = await auction();
  events.answer("age", (() => {}) as never);
  world.socket.says({ event: "age", id: 1 });
  await settled();
  assert.deepEqual(world.socket.said, [{ reply: 1, data: null }]);
});

test("a function that fails is an error reply: its own words if it chose them, none otherwise", async (context) => {
  const reported = reportedErrors(context);
  const { world, events } = await auction();
  const secret = new Error("the password is swordfish");
  events.answer("confirm", ({ lot }) => {
    if (lot === "boat") throw new CallError("SOLD_OUT", "no more boats", [{ path: "lot" }]);
    throw secret;
  });
  events.answer("age", () => 1n as never);
  world.socket.says({ event: "confirm", data: { lot: "boat" }, id: 1 });
  world.socket.says({ event: "confirm", data: { lot: "oar" }, id: 2 });
  world.socket.says({ event: "age", id: 3 });
  await settled();
  const failed = { code: "WHARF_HANDLER", message: "the function that answers failed" };
  assert.deepEqual(world.socket.said, [
    { reply: 1, error: { code: "SOLD_OUT", message: "no more boats", issues: [{ path: "lot" }] } },
    { reply: 2, error: failed },
    { reply: 3, error: failed },
  ]);
  assert.equal(reported[0], secret);
  assert.ok(reported[1] instanceof TypeError, "a BigInt is no JSON");
});

test("a request that nothing answers is an error reply", async () => {
  const { world } = await auction();
  world.socket.says({ event: "toString", data: {}, id: 1 });
  const [reply] = world.socket.said as [{ reply: number; error: { code: string } }];
  assert.deepEqual([reply.reply, reply.error.code], [1, "WHARF_UNKNOWN_EVENT"]);
});

test("answers under way are bounded, and the bound is given back", async () => {
  const { world, events } = await auction({ maxAnswers: 1 });
  const finish: ((age: number) => void)[] = [];
  events.answer("age", () => new Promise((resolve) => finish.push(resolve)));
  world.socket.says({ event: "age", id: 1 });
  world.socket.says({ event: "age", id: 2 });
  await settled();
  finish[0]?.(1);
  await settled();
  world.socket.says({ event: "age", id: 3 });
  await settled();
  finish[1]?.(3);
  await settled();
  const said = world.socket.said as { reply: number; data?: number; error?: { code: string } }[];
  assert.deepEqual(
    said.map(({ reply, data, error }) => [reply, data ?? error?.code]),
    [
      [2, "WHARF_BACKPRESSURE"],
      [1, 1],
      [3, 3],
    ],
  );
});

test("an answer whose connection is gone goes nowhere, and its function is told", async () => {
  const { world, events } = await auction();
  let finish = (_age: number): void => {};
  let seen: AbortSignal | undefined;
  events.answer("age", (_data, { signal }) => {
    seen = signal;
    return new Promise((resolve) => (finish = resolve));
  });
  world.socket.says({ event: "age", id: 1 });
  await settled();
  assert.equal(seen?.aborted, false);
  await world.reconnects();
  assert.equal(seen?.aborted, true);
  finish(7);
  await settled();
  assert.deepEqual(world.socket.sent, []);
});

test("an answer to a socket whose peer has said goodbye is not kept for the next connection", async () => {
  const { world, events } = await auction();
  events.answer("age", () => 7);
  world.socket.says({ event: "age", id: 1 });
  world.socket.readyState = 2;
  await settled();
  await world.reconnects();
  assert.deepEqual(world.socket.sent, []);
});

test("an answer that the socket has no room for is reported, and the link goes on", async (context) => {
  const reported = reportedErrors(context);
  const world = new World({ queue: { maxBytes: 10 } });
  const events = new Events<Auction>(world.link);
  events.answer("age", () => 7);
  await world.connect();
  world.socket.bufferedAmount = 10;
  world.socket.says({ event: "age", id: 1 });
  world.socket.says({ event: "nobody answers", id: 2 });
  await settled();
  assert.deepEqual(
    reported.map((error) => (error as { code: string }).code),
    ["WHARF_BACKPRESSURE", "WHARF_BACKPRESSURE"],
  );
  assert.equal(world.link.state, "open");
});

test("one function for each request", async () => {
  const { events } = await auction();
  events.answer("age", () => 7);
  assert.throws(() => events.answer("age", () => 8), { code: "WHARF_CONFIG" });
});

test("malformed events are told, objects of somebody else are not", async () => {
  const { world, events } = await auction();
  const malformed: string[] = [];
  events.onMalformed(({ code }) => malformed.push(code));
  const texts = ["", "7", '{"event":7}', '{"event":"age","id":{}}', '{"event":"age","id":null}'];
  for (const text of texts) world.socket.saysText(text);
  assert.deepEqual(
    malformed,
    texts.map(() => "WHARF_MALFORMED"),
  );
  world.socket.saysText('{"message":"for a room"}');
  world.socket.saysText(new ArrayBuffer(1));
  assert.equal(malformed.length, texts.length);
});

test("other names for the fields", async () => {
  const { world, events } = await auction({
    fields: { event: "type", data: "payload", id: "ref", reply: "re", error: "bad" },
  });
  events.answer("confirm", () => true);
  events.answer("age", () => {
    throw new CallError("NO", "no");
  });
  world.socket.says({ type: "confirm", payload: { lot: "boat" }, ref: 1 });
  world.socket.says({ type: "age", ref: 2 });
  await settled();
  assert.deepEqual(world.socket.said, [
    { re: 1, payload: true },
    { re: 2, bad: { code: "NO", message: "no" } },
  ]);
});

test("a room and events share a link", async () => {
  const world = new World();
  const told: unknown[] = [];
  const room = new Room<string>(world.link);
  room.on("message", ({ message }) => told.push(message));
  room.on("malformed", () => told.push("malformed"));
  const events = new Events<Auction>(world.link);
  events.on("sold", ({ lot }) => told.push(lot));
  events.onMalformed(() => told.push("malformed"));
  const socket = await world.connect();
  socket.says({ welcome: { position: "e:0" } });
  socket.says({ message: "hello", position: "e:1" });
  socket.says({ event: "sold", data: { lot: "boat" } });
  assert.deepEqual(told, ["hello", "boat"]);
});
