import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./fake/world.js";

const liveness = { quietMs: 10_000, answerMs: 2000, probe: "are you there?" };

test("a quiet server is asked, and lives if it says anything", async () => {
  const world = new World({ liveness });
  const socket = await world.connect();
  for (let round = 1; round <= 3; round++) {
    await world.clock.pass(10_000);
    assert.equal(socket.sent.length, round);
    await world.clock.pass(1999);
    socket.saysText("anything");
  }
  assert.deepEqual(world.told, ["connected"]);
});

test("a server that speaks is not asked", async () => {
  const world = new World({ liveness });
  const socket = await world.connect();
  for (let round = 0; round < 10; round++) {
    await world.clock.pass(9000);
    socket.saysText("news");
  }
  assert.deepEqual(socket.sent, []);
  await world.clock.pass(10_000);
  assert.deepEqual(socket.sent, ["are you there?"]);
});

test("a server that does not answer is left, and dialled again", async () => {
  const world = new World({ liveness: { ...liveness, probe: () => "fresh" } });
  const socket = await world.connect();
  await world.clock.pass(12_000);
  assert.deepEqual(socket.sent, ["fresh"]);
  assert.equal(world.outcome.error?.code, "WHARF_HEARTBEAT_TIMEOUT");
  assert.equal(world.outcome.final, false);
  assert.deepEqual(socket.closedWith, [3008, ""]);
  socket.saysText("too late");
  (await world.redials()).accepts();
  assert.equal(world.link.state, "open");
});

test("nothing is asked between connections, nor of one that is closing", async () => {
  const world = new World({ liveness, backoff: { baseMs: 100_000 } });
  const socket = await world.connect();
  socket.breaks();
  await world.clock.pass(50_000);
  assert.deepEqual(socket.sent, []);

  const closing = new World({ liveness, closeTimeoutMs: 60_000 });
  await closing.connect();
  void closing.link.close();
  await closing.clock.pass(50_000);
  assert.deepEqual(closing.socket.sent, []);
  assert.equal(closing.link.state, "closing");
});
