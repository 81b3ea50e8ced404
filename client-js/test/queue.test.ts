import assert from "node:assert/strict";
import { test } from "node:test";
import { settled } from "./fake/clock.js";
import { World } from "./fake/world.js";

test("what is sent before and between connections leaves in its order, ahead of what listeners send", async () => {
  const world = new World();
  world.link.send("before it is opened");
  world.link.open();
  world.link.send("while it dials");
  world.link.on("connected", () => world.link.send("connected"));
  await settled();
  world.socket.accepts();
  assert.deepEqual(world.socket.sent, ["before it is opened", "while it dials", "connected"]);
  world.socket.breaks();
  const delivery = world.link.send("while it waits");
  assert.equal(delivery.state, "queued");
  (await world.redials()).accepts();
  assert.equal(delivery.state, "sent");
  assert.deepEqual(world.socket.sent, ["while it waits", "connected"]);
});

test("a message that was handed to a socket is not sent again", async () => {
  const world = new World();
  await world.connect();
  assert.equal(world.link.send("once").state, "sent");
  await world.reconnects();
  assert.deepEqual(world.socket.sent, []);
});

test("the queue is bounded in messages", () => {
  const world = new World({ queue: { maxMessages: 2 } });
  world.link.send("1");
  const second = world.link.send("2");
  assert.throws(() => world.link.send("3"), { code: "WHARF_BACKPRESSURE" });
  assert.equal(second.cancel(), true);
  world.link.send("3");
});

test("the queue is bounded in bytes on the wire", () => {
  const world = new World({ queue: { maxBytes: 10 } });
  world.link.send("12345");
  assert.throws(() => world.link.send("🌊🌊"), { code: "WHARF_BACKPRESSURE" });
  const last = world.link.send("🌊1");
  assert.throws(() => world.link.send("1"), { code: "WHARF_BACKPRESSURE" });
  last.cancel();
  world.link.send(new Uint8Array(5));
  assert.throws(() => world.link.send(new ArrayBuffer(1)), { code: "WHARF_BACKPRESSURE" });
});

test("a message larger than the queue is taken when nothing else waits", () => {
  const world = new World({ queue: { maxBytes: 10 } });
  world.link.send("a".repeat(11));
  assert.throws(() => world.link.send(""), { code: "WHARF_BACKPRESSURE" });
});

test("leaving the queue gives its room back", async () => {
  const world = new World({ queue: { maxBytes: 10, maxMessages: 2 } });
  for (let round = 0; round < 5; round++) {
    world.link.send("12345");
    world.link.send("12345");
    if (round === 0) await world.connect();
    else (await world.redials()).accepts();
    assert.deepEqual(world.socket.sent, ["12345", "12345"]);
    world.socket.breaks();
  }
});

test("what the socket holds back counts, too", async () => {
  const world = new World({ queue: { maxBytes: 10 } });
  await world.connect();
  world.socket.bufferedAmount = 8;
  world.link.send("12");
  assert.throws(() => world.link.send("123"), { code: "WHARF_BACKPRESSURE" });
  world.socket.bufferedAmount = 0;
  world.link.send("a".repeat(11));
  assert.deepEqual(world.socket.sent, ["12", "a".repeat(11)]);
});

test("a socket whose peer has said goodbye is no connection", async () => {
  const world = new World();
  const socket = await world.connect();
  socket.readyState = 2;
  assert.equal(world.link.send("late").state, "queued");
  socket.closes(1001);
  (await world.redials()).accepts();
  assert.deepEqual(world.socket.sent, ["late"]);
});

test("refusing instead of queueing", async () => {
  const world = new World({ whileAway: "refuse" });
  assert.throws(() => world.link.send("too early"), { code: "WHARF_AWAY" });
  await world.connect();
  world.link.send("hello");
  world.socket.breaks();
  assert.throws(() => world.link.send("away"), { code: "WHARF_AWAY" });
  (await world.redials()).accepts();
  assert.deepEqual(world.socket.sent, []);
});

test("bytes are copied when they wait: the caller may use the buffer again", async () => {
  const world = new World();
  const bytes = [new Uint8Array([1, 2]), new Uint8Array([1, 2]).buffer, Buffer.from([1, 2])];
  for (const payload of bytes) world.link.send(payload);
  for (const payload of bytes)
    new Uint8Array(payload instanceof ArrayBuffer ? payload : payload.buffer).fill(9);
  await world.connect();
  for (const payload of world.socket.sent) {
    assert.deepEqual([...new Uint8Array(payload as ArrayBuffer)], [1, 2]);
  }
});

test("a cancelled message never leaves; one that left cannot be cancelled", async () => {
  const world = new World();
  const [first, second] = [world.link.send("first"), world.link.send("second")];
  assert.equal(first.cancel(), true);
  assert.equal(first.cancel(), false);
  assert.equal(first.state, "dropped");
  await world.connect();
  assert.deepEqual(world.socket.sent, ["second"]);
  assert.equal(second.cancel(), false);
  assert.equal(second.state, "sent");
  assert.equal(world.link.send("third").cancel(), false);
});

test("when the link ends, it says how many messages were never sent", async () => {
  const world = new World();
  await world.connect();
  world.socket.breaks();
  const delivery = world.link.send("1");
  world.link.send("2");
  (await world.redials()).closes(1008);
  assert.equal(world.outcome.dropped, 2);
  assert.equal(delivery.state, "dropped");
});
