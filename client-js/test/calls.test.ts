import assert from "node:assert/strict";
import { test } from "node:test";
import { CallError, Events, type EventsOptions, type LinkOptions } from "../src/index.js";
import { settled } from "./fake/clock.js";
import { World } from "./fake/world.js";

type Auction = {
  calls: { bid: { data: { amount: number }; reply: { accepted: boolean } } };
};

async function auction(options: EventsOptions = {}, link: Partial<LinkOptions> = {}) {
  const world = new World(link);
  const events = new Events<Auction>(world.link, options);
  const malformed: string[] = [];
  events.onMalformed(({ code }) => malformed.push(code));
  await world.connect();
  return { world, events, malformed };
}

/** How the promise ended, so far. */
async function ending(promise: Promise<unknown>): Promise<unknown> {
  const end = promise.then(
    (value) => value,
    (error: { code?: string }) => error.code ?? error,
  );
  return Promise.race([end, settled().then(() => "pending")]);
}

test("a call resolves with its own reply, in whatever order replies come", async () => {
  const { world, events } = await auction();
  const [first, second] = [events.call("bid", { amount: 1 }), events.call("bid", { amount: 2 })];
  await settled();
  assert.deepEqual(world.socket.said, [
    { event: "bid", data: { amount: 1 }, id: 1 },
    { event: "bid", data: { amount: 2 }, id: 2 },
  ]);
  world.socket.says({ reply: 2, data: { accepted: false } });
  world.socket.says({ reply: 1, data: { accepted: true } });
  assert.deepEqual([await first, await second], [{ accepted: true }, { accepted: false }]);
  assert.equal(world.clock.pending, 0);
});

test("an event without a reply has no id", async () => {
  const { world, events } = await auction();
  assert.equal(events.send("bid", { amount: 1 }).state, "sent");
  assert.deepEqual(world.socket.said, [{ event: "bid", data: { amount: 1 } }]);
});

test("a refusal rejects with what the server says", async () => {
  const { world, events } = await auction();
  const call = events.call("bid", { amount: -1 });
  await settled();
  world.socket.says({
    reply: 1,
    error: { code: "TOO_LOW", message: "bid more", issues: [{ path: "amount" }] },
  });
  await assert.rejects(call, (error: CallError) => {
    assert.ok(error instanceof CallError);
    assert.deepEqual(
      [error.code, error.message, error.issues],
      ["TOO_LOW", "bid more", [{ path: "amount" }]],
    );
    return true;
  });
});

test("a refusal of an event that asked for no reply is told", async () => {
  const { world, events, malformed } = await auction();
  const refused: string[] = [];
  const end = events.onRefused(({ code }) => refused.push(code));
  events.send("bid", { amount: 1 });
  world.socket.says({ reply: null, error: { code: "WHARF_RATE_LIMITED", message: "too many" } });
  end();
  world.socket.says({ reply: null, error: { code: "WHARF_RATE_LIMITED", message: "too many" } });
  assert.deepEqual([refused, malformed], [["WHARF_RATE_LIMITED"], []]);
});

test("a reply to an envelope that was sent by hand is not for calls", async () => {
  const { world, events, malformed } = await auction();
  const call = events.call("bid", { amount: 1 });
  await settled();
  world.socket.says({ reply: "1", data: "alive" });
  world.socket.says({ reply: "1", error: { code: "NO" } });
  assert.equal(await ending(call), "pending");
  assert.deepEqual(malformed, []);
  world.socket.says({ reply: 1, data: {} });
  await call;
});

test("a refusal without words is one, too", async () => {
  const { world, events } = await auction();
  const call = assert.rejects(events.call("bid", { amount: 1 }), { code: "NO", message: "" });
  await settled();
  world.socket.says({ reply: 1, error: { code: "NO" } });
  await call;
});

test("no reply in time rejects, and a reply that comes later is nobody's mistake", async () => {
  const { world, events, malformed } = await auction({ callTimeoutMs: 3000 });
  const [patient, hasty] = [
    events.call("bid", { amount: 1 }),
    events.call("bid", { amount: 2 }, { timeoutMs: 1000 }),
  ];
  const hastyEnds = assert.rejects(hasty, { code: "WHARF_REPLY_TIMEOUT" });
  await world.clock.pass(1000);
  await hastyEnds;
  assert.equal(await ending(patient), "pending");
  const patientEnds = assert.rejects(patient, { code: "WHARF_REPLY_TIMEOUT" });
  await world.clock.pass(2000);
  await patientEnds;
  world.socket.says({ reply: 1, data: {} });
  assert.deepEqual(malformed, []);
});

test("a call that was sent is rejected when the connection breaks, and not sent again", async () => {
  const { world, events } = await auction();
  const call = assert.rejects(events.call("bid", { amount: 1 }), { code: "WHARF_DISCONNECTED" });
  await settled();
  await world.reconnects();
  await call;
  assert.deepEqual(world.socket.sent, []);
});

test("a call that is queued waits for the next connection", async () => {
  const { world, events } = await auction();
  world.socket.breaks();
  const call = events.call("bid", { amount: 1 });
  await settled();
  (await world.redials()).breaks();
  assert.equal(await ending(call), "pending");
  (await world.redials()).accepts();
  assert.deepEqual(world.socket.said, [{ event: "bid", data: { amount: 1 }, id: 1 }]);
  world.socket.says({ reply: 1, data: { accepted: true } });
  assert.deepEqual(await call, { accepted: true });
});

test("a call that is given up while it is queued is never sent", async () => {
  const { world, events } = await auction({ callTimeoutMs: 100 });
  world.socket.breaks();
  const late = assert.rejects(events.call("bid", { amount: 1 }), { code: "WHARF_REPLY_TIMEOUT" });
  const abort = new AbortController();
  const aborted = assert.rejects(events.call("bid", { amount: 2 }, { signal: abort.signal }), {
    message: "changed my mind",
  });
  await settled();
  abort.abort(new Error("changed my mind"));
  await world.clock.pass(100);
  await Promise.all([late, aborted]);
  (await world.redials()).accepts();
  assert.deepEqual(world.socket.sent, []);
  await assert.rejects(events.call("bid", { amount: 3 }, { signal: abort.signal }), {
    message: "changed my mind",
  });
});

test("a signal that outlives its calls keeps nothing of them", async (context) => {
  const { world, events } = await auction();
  const { signal } = new AbortController();
  const added = context.mock.method(signal, "addEventListener");
  const removed = context.mock.method(signal, "removeEventListener");
  const call = events.call("bid", { amount: 1 }, { signal });
  await settled();
  world.socket.says({ reply: 1, data: {} });
  await call;
  assert.deepEqual(
    removed.mock.calls.map(({ arguments: args }) => args),
    added.mock.calls.map(({ arguments: args }) => args),
  );
});

test("calls are rejected when the link ends: those that were sent, and those that never were", async () => {
  const { world, events } = await auction();
  const sent = assert.rejects(events.call("bid", { amount: 1 }), { code: "WHARF_DISCONNECTED" });
  await settled();
  world.socket.breaks();
  await sent;
  const queued = assert.rejects(events.call("bid", { amount: 2 }), { code: "WHARF_CLOSED" });
  await settled();
  await world.link.close();
  await queued;
  await assert.rejects(events.call("bid", { amount: 3 }), { code: "WHARF_CLOSED" });
  assert.equal(world.clock.pending, 0);
});

test("calls in flight are bounded", async () => {
  const { world, events } = await auction({ maxCalls: 2 });
  const calls = [events.call("bid", { amount: 1 }), events.call("bid", { amount: 2 })];
  await assert.rejects(events.call("bid", { amount: 3 }), { code: "WHARF_BACKPRESSURE" });
  assert.equal(world.socket.sent.length, 2);
  world.socket.says({ reply: 1, data: {} });
  await calls[0];
  const third = events.call("bid", { amount: 3 });
  await settled();
  world.socket.says({ reply: 2, data: {} });
  world.socket.says({ reply: 3, data: {} });
  await Promise.all([calls[1], third]);
});

test("a call that cannot be sent is rejected, and takes no place", async () => {
  const { world, events } = await auction({ maxCalls: 1 }, { whileAway: "refuse" });
  world.socket.breaks();
  for (let round = 0; round < 3; round++) {
    await assert.rejects(events.call("bid", { amount: 1 }), { code: "WHARF_AWAY" });
  }
  const loop: { self?: unknown; amount: number } = { amount: 1 };
  loop.self = loop;
  await assert.rejects(events.call("bid", loop), TypeError);
});

test("replies that are none are told as malformed, and no call ends by them", async () => {
  const { world, events, malformed } = await auction();
  const call = events.call("bid", { amount: 1 });
  await settled();
  const texts = [
    "no JSON",
    '{"reply":true}',
    '{"reply":null,"data":1}',
    '{"reply":0,"data":1}',
    '{"reply":2,"data":1}',
    '{"reply":0.5,"data":1}',
    '{"reply":1.5,"data":1}',
    '{"reply":null,"error":7}',
    '{"reply":false,"error":{"code":"c"}}',
    '{"reply":1,"error":"no"}',
    '{"reply":1,"error":{"message":"no code"}}',
    '{"reply":1,"error":{"code":"c","issues":7}}',
    '{"reply":9,"error":{"code":"c"}}',
  ];
  for (const text of texts) world.socket.saysText(text);
  assert.equal(await ending(call), "pending");
  assert.deepEqual(
    malformed,
    texts.map(() => "WHARF_MALFORMED"),
  );
  world.socket.says({ reply: 1, data: { accepted: true } });
  assert.deepEqual(await call, { accepted: true });
});
