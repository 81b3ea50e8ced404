import assert from "node:assert/strict";
import { test } from "node:test";
import { isFinalByDefault, type Ending } from "../src/index.js";
import { settled } from "./fake/clock.js";
import { reportedErrors } from "./fake/global.js";
import { World } from "./fake/world.js";

test("tells that it is connected, and hands messages on", async () => {
  const world = new World();
  const heard: unknown[] = [];
  world.link.on("message", (data) => heard.push(data));
  assert.equal(world.link.state, "idle");
  world.link.open();
  await settled();
  assert.equal(world.link.state, "dialling");
  world.socket.accepts();
  assert.equal(world.link.state, "open");
  world.socket.saysText("hello");
  const binary = new ArrayBuffer(2);
  world.socket.saysText(binary);
  assert.deepEqual(heard, ["hello", binary]);
  assert.equal(world.socket.binaryType, "arraybuffer");
  assert.deepEqual(world.told, ["connected"]);
});

test("dials again after a break, and tells the gap", async () => {
  const world = new World();
  await world.connect();
  await world.reconnects();
  assert.deepEqual(world.told, ["connected", "disconnected 1006", "connected again", "gap"]);
  assert.equal(world.outcome.final, false);
  assert.equal(world.outcome.opened, true);
  assert.equal(world.outcome.retryInMs, 500);
});

test("the waits double up to the cap", async () => {
  const world = new World({ backoff: { baseMs: 100, capMs: 1000 } });
  world.link.open();
  await settled();
  for (let round = 0; round < 6; round++) {
    world.socket.breaks();
    await world.redials();
  }
  assert.deepEqual(
    world.outcomes.map(({ retryInMs }) => retryInMs),
    [100, 200, 400, 800, 1000, 1000],
  );
  assert.deepEqual(
    world.outcomes.map(({ attempt }) => attempt),
    [1, 2, 3, 4, 5, 6],
  );
});

test("the wait is anything from nothing to all of it", async () => {
  const world = new World({ backoff: { baseMs: 100 } });
  world.link.open();
  await settled();
  world.random = 0;
  world.socket.breaks();
  await world.redials();
  world.random = 0.25;
  world.socket.breaks();
  assert.deepEqual(
    world.outcomes.map(({ retryInMs }) => retryInMs),
    [0, 50],
  );
});

test("a connection that does not last does not shorten the wait", async () => {
  const world = new World({ backoff: { baseMs: 100, capMs: 100_000, stableMs: 5000 } });
  await world.connect();
  for (let round = 0; round < 4; round++) {
    await world.clock.pass(4999);
    await world.reconnects();
  }
  assert.deepEqual(
    world.outcomes.map(({ retryInMs }) => retryInMs),
    [100, 200, 400, 800],
  );
  assert.ok(world.outcomes.every(({ stable }) => !stable));
});

test("a connection that lasted lets the waits and the attempts begin anew", async () => {
  const world = new World({ backoff: { baseMs: 100, stableMs: 5000 } });
  await world.connect();
  for (let round = 0; round < 3; round++) await world.reconnects();
  assert.equal(world.outcome.retryInMs, 400);
  await world.clock.pass(5000);
  await world.reconnects();
  assert.equal(world.outcome.stable, true);
  assert.equal(world.outcome.retryInMs, 100);
  world.socket.breaks();
  assert.equal(world.outcome.attempt, 1);
});

test("a day of flapping leaves one socket and one timer", async () => {
  const world = new World();
  await world.connect();
  const day = 24 * 60 * 60 * 1000;
  while (world.clock.now() < day) {
    await world.reconnects();
    await world.clock.pass(1000);
  }
  assert.ok(world.sockets.length > 2000, `${world.sockets.length} sockets`);
  assert.equal(world.clock.pending, 0);
  assert.equal(world.network.watchers, 1);
  assert.equal(world.sockets.filter(({ readyState }) => readyState < 2).length, 1);
  const connected = world.told.filter((told) => told.startsWith("connected")).length;
  assert.equal(connected, world.sockets.length);
});

test("which codes are final", () => {
  const ending: Ending = {
    code: 1006,
    reason: "",
    wasClean: true,
    opened: true,
    stable: false,
    attempt: 1,
  };
  const finals = [];
  for (let code = 1000; code < 5000; code++)
    if (isFinalByDefault({ ...ending, code })) finals.push(code);
  assert.deepEqual(finals.slice(0, 9), [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003]);
  assert.deepEqual([finals[9], finals.at(-1), finals.length], [4000, 4999, 1009]);
  assert.equal(isFinalByDefault({ ...ending, code: 1008, stable: true }), false);
});

test("a final code ends the link", async () => {
  const world = new World();
  const socket = await world.connect();
  socket.closes(4000, "somebody else sits here now");
  assert.deepEqual(world.told, ["connected", "ended 4000"]);
  assert.equal(world.outcome.reason, "somebody else sits here now");
  assert.equal(world.link.state, "closed");
  assert.equal(world.clock.pending, 0);
  assert.equal(world.network.watchers, 0);
  assert.throws(() => world.link.send("hello"), { code: "WHARF_CLOSED" });
});

test("an expired credential is no refusal: the next dial brings another", async () => {
  const world = new World({ url: ({ number }) => `ws://server.example/?token=${number}` });
  await world.connect();
  await world.clock.pass(60_000);
  world.socket.closes(1008, "the credential expired");
  assert.deepEqual(world.told, ["connected", "disconnected 1008"]);
  (await world.redials()).accepts();
  world.socket.closes(1008, "no");
  assert.equal(world.told.at(-1), "ended 1008");
});

test("the application says what is final", async () => {
  const world = new World({ isFinal: ({ attempt }) => attempt === 3 });
  await world.connect();
  world.socket.closes(1000);
  await world.redials();
  world.socket.breaks();
  await world.redials();
  world.socket.breaks();
  assert.deepEqual(world.told, [
    "connected",
    "disconnected 1000",
    "disconnected 1006",
    "ended 1006",
  ]);
});

test("an application that fails to say what is final gets the default, and its error is reported", async (context) => {
  const reported = reportedErrors(context);
  const failure = new Error("no opinion");
  const world = new World({
    isFinal: () => {
      throw failure;
    },
  });
  await world.connect();
  await world.reconnects();
  assert.equal(world.link.state, "open");
  assert.deepEqual(reported, [failure]);
});

test("a listener that throws stops neither the others nor the link", async (context) => {
  const reported = reportedErrors(context);
  const world = new World();
  const failure = new Error("listener");
  world.link.on("message", () => {
    throw failure;
  });
  const heard: unknown[] = [];
  const end = world.link.on("message", (data) => heard.push(data));
  (await world.connect()).saysText("one");
  end();
  world.socket.saysText("two");
  assert.deepEqual(heard, ["one"]);
  assert.deepEqual(reported, [failure, failure]);
});

test("a closed link can be opened again, and tells the gap", async () => {
  const world = new World();
  (await world.connect()).closes(1000);
  await world.connect();
  assert.deepEqual(world.told, ["connected", "ended 1000", "connected again", "gap"]);
});

test("a closed link that is opened again begins with short waits and the first attempt", async () => {
  const world = new World();
  world.link.open();
  await settled();
  for (let round = 0; round < 3; round++) {
    world.socket.breaks();
    await world.redials();
  }
  world.socket.closes(1000);
  world.link.open();
  await settled();
  world.socket.breaks();
  assert.deepEqual([world.outcome.attempt, world.outcome.retryInMs], [1, 500]);
});

test("a listener that is added twice is told twice, and once after one was taken away", async () => {
  const world = new World();
  let told = 0;
  const listener = (): void => {
    told += 1;
  };
  const end = world.link.on("message", listener);
  world.link.on("message", listener);
  (await world.connect()).saysText("one");
  assert.equal(told, 2);
  end();
  world.socket.saysText("two");
  assert.equal(told, 3);
});

test("opening twice dials once", async () => {
  const world = new World();
  world.link.open();
  world.link.open();
  await settled();
  assert.equal(world.sockets.length, 1);
});
