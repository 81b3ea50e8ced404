import assert from "node:assert/strict";
import { test } from "node:test";
import { systemNetwork } from "../src/network.js";
import { settled } from "./fake/clock.js";
import { replaceGlobal } from "./fake/global.js";
import { World } from "./fake/world.js";

test("without a network nothing is dialled until it is there", async () => {
  const world = new World();
  world.network.goes("offline");
  world.link.open();
  await world.clock.pass(1_000_000);
  assert.equal(world.sockets.length, 0);
  assert.equal(world.link.state, "waiting");
  world.network.goes("online");
  await world.clock.pass(500);
  assert.equal(world.sockets.length, 1);
});

test("a wait ends early when the network comes back, but not for everybody at once", async () => {
  const world = new World({ backoff: { baseMs: 1000, capMs: 1_000_000 } });
  world.link.open();
  await settled();
  for (let round = 0; round < 8; round++) {
    world.socket.breaks();
    await world.redials();
  }
  world.socket.breaks();
  assert.equal(world.clock.next, 256_000);
  world.network.goes("offline");
  assert.equal(world.clock.pending, 0);
  world.random = 0.5;
  world.network.goes("online");
  assert.equal(world.clock.next, 500);
  await world.redials();
});

test("a network that comes and goes makes one dial, and none while there is a connection or a dial", async () => {
  const world = new World();
  world.link.open();
  world.network.goes("online");
  await world.clock.pass(1000);
  assert.equal(world.sockets.length, 1, "while it dials");
  world.socket.accepts();
  world.network.goes("online");
  await world.clock.pass(1000);
  assert.equal(world.sockets.length, 1, "while it is open");
  world.socket.breaks();
  for (let round = 0; round < 5; round++) world.network.goes("online");
  assert.equal(world.clock.pending, 1);
  await world.redials();
  assert.equal(world.sockets.length, 2);
});

test("a link that breaks without a network says that the network decides when it dials", async () => {
  const world = new World();
  await world.connect();
  world.network.goes("offline");
  assert.equal(world.link.state, "open", "a connection to the same machine needs no network");
  world.socket.breaks();
  assert.equal(world.outcome.retryInMs, undefined);
  assert.equal(world.outcome.final, false);
  assert.equal(world.clock.pending, 0);
});

test("a change of the network is a reason to ask whether the server is still there", async () => {
  const world = new World({ liveness: { probe: "are you there?", answerMs: 2000 } });
  const socket = await world.connect();
  world.network.goes("offline");
  world.network.goes("online");
  assert.deepEqual(socket.sent, ["are you there?"]);
  await world.clock.pass(2000);
  assert.equal(world.outcome.error?.code, "WHARF_HEARTBEAT_TIMEOUT");
});

test("the page's events are followed while the link is open, and Node is always online", (context) => {
  assert.equal(systemNetwork.isOnline(), true);
  systemNetwork.watch(() => {})();
  const page = new EventTarget();
  for (const name of ["addEventListener", "removeEventListener"] as const) {
    replaceGlobal(context, name, page[name].bind(page));
  }
  let changes = 0;
  const end = systemNetwork.watch(() => (changes += 1));
  page.dispatchEvent(new Event("offline"));
  page.dispatchEvent(new Event("online"));
  end();
  page.dispatchEvent(new Event("offline"));
  assert.equal(changes, 2);
});
