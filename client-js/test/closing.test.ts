import assert from "node:assert/strict";
import { test } from "node:test";
import { settled } from "./fake/clock.js";
import { World } from "./fake/world.js";

test("closing says goodbye and waits for the answer", async () => {
  const world = new World();
  const socket = await world.connect();
  const closed = world.link.close(4001, "bye");
  assert.equal(world.link.state, "closing");
  assert.deepEqual(socket.closedWith, [4001, "bye"]);
  assert.throws(() => world.link.send("late"), { code: "WHARF_CLOSED" });
  assert.throws(() => world.link.open(), { code: "WHARF_CLOSED" });
  const heard: unknown[] = [];
  world.link.on("message", (data) => heard.push(data));
  socket.saysText("one more thing");
  socket.closes(4001, "bye");
  const outcome = await closed;
  assert.deepEqual([outcome.code, outcome.wasClean, outcome.final], [4001, true, true]);
  assert.deepEqual(heard, ["one more thing"]);
  assert.deepEqual(world.told, ["connected", "ended 4001"]);
  assert.equal(world.clock.pending, 0);
});

test("a server that does not answer the goodbye is left at the deadline", async () => {
  const world = new World({ closeTimeoutMs: 2000 });
  await world.connect();
  const closed = world.link.close();
  await world.clock.pass(2000);
  const outcome = await closed;
  assert.deepEqual([outcome.code, outcome.error?.code], [1006, "WHARF_CLOSE_TIMEOUT"]);
  assert.equal(world.link.state, "closed");
});

test("closing between connections, while dialling, and before opening ends at once", async () => {
  const waiting = new World();
  await waiting.connect();
  waiting.socket.breaks();
  assert.equal((await waiting.link.close()).final, true);
  await waiting.clock.pass(100_000);
  assert.equal(waiting.sockets.length, 1);

  const dialling = new World();
  dialling.link.open();
  await settled();
  assert.equal((await dialling.link.close()).opened, false);
  assert.deepEqual(dialling.socket.closedWith, []);
  assert.equal(dialling.clock.pending, 0);

  const idle = new World();
  idle.link.send("never");
  assert.equal((await idle.link.close()).dropped, 1);
  assert.deepEqual(idle.told, ["ended 1000"]);
});

test("closing twice closes once, and both are told", async () => {
  const world = new World();
  const socket = await world.connect();
  const both = [world.link.close(), world.link.close(4000)];
  socket.closes(1000);
  const [first, second] = await Promise.all(both);
  assert.equal(first, second);
  assert.equal(await world.link.close(), first);
  assert.deepEqual(world.told, ["connected", "ended 1000"]);
});

test("codes and reasons that may not be sent are errors, and the link goes on", async () => {
  const world = new World();
  await world.connect();
  for (const code of [0, 999, 1001, 1005, 1006, 1011, 2999, 5000]) {
    assert.throws(() => world.link.close(code), { code: "WHARF_CLOSE_CODE" });
  }
  assert.throws(() => world.link.close(1000, "🌊".repeat(31)), { code: "WHARF_CLOSE_REASON" });
  assert.equal(world.link.state, "open");
  void world.link.close(1000, "🌊".repeat(30) + "abc");
});

test("a listener may close the link when it hears of a break", async () => {
  const world = new World();
  await world.connect();
  const end = world.link.on("disconnected", () => {
    end();
    void world.link.close();
  });
  world.socket.breaks();
  assert.equal(world.link.state, "closed");
  assert.equal(world.clock.pending, 0);
});
