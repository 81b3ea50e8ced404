// What the README promises to those who set nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Events } from "../src/index.js";
import { settled } from "./fake/clock.js";
import { World } from "./fake/world.js";

test("a connection is good once it lasted 10 s", async () => {
  const world = new World();
  await world.connect();
  for (const [lasted, stable] of [
    [9_999, false],
    [10_000, true],
  ] as const) {
    await world.clock.pass(lasted);
    await world.reconnects();
    assert.equal(world.outcome.stable, stable);
  }
});

test("a dial may take 10 s, and a goodbye 5 s", async () => {
  const world = new World();
  world.link.open();
  await settled();
  assert.equal(world.clock.next, 10_000);
  world.socket.accepts();
  void world.link.close();
  assert.equal(world.clock.next, 5_000);
});

test("1024 messages wait, or 1 MiB", () => {
  const many = new World();
  for (let count = 0; count < 1024; count++) many.link.send("");
  assert.throws(() => many.link.send(""), { code: "WHARF_BACKPRESSURE" });
  const large = new World();
  large.link.send("1");
  large.link.send(new Uint8Array(1024 * 1024 - 1));
  assert.throws(() => large.link.send("1"), { code: "WHARF_BACKPRESSURE" });
});

test("a silent server is asked after 30 s and given up 10 s later", async () => {
  const world = new World({ liveness: { probe: "?" } });
  await world.connect();
  await world.clock.pass(29_999);
  assert.deepEqual(world.socket.sent, []);
  await world.clock.pass(1);
  assert.deepEqual(world.socket.sent, ["?"]);
  assert.equal(world.clock.next, 10_000);
});

test("64 calls of 10 s each, and 64 answers", async () => {
  const world = new World();
  const events = new Events(world.link);
  events.answer("question", () => new Promise(() => {}));
  await world.connect();
  const calls = Array.from({ length: 64 }, () =>
    assert.rejects(events.call("bid", 1), { code: "WHARF_REPLY_TIMEOUT" }),
  );
  await assert.rejects(events.call("bid", 1), { code: "WHARF_BACKPRESSURE" });
  assert.equal(world.clock.next, 10_000);
  await world.clock.pass(10_000);
  await Promise.all(calls);

  world.socket.sent.length = 0;
  for (let id = 1; id <= 65; id++) world.socket.says({ event: "question", id });
  assert.equal(world.socket.sent.length, 1);
});
