import assert from "node:assert/strict";
import { test } from "node:test";
import { Room, type RoomOptions } from "../src/index.js";
import { World } from "./fake/world.js";

/** A room, and what it told. */
function sit(options: RoomOptions = {}) {
  const world = new World();
  const room = new Room<string>(world.link, options);
  const told: unknown[] = [];
  room.on("message", ({ message, position }) =>
    told.push(position ? `${message} at ${position}` : message),
  );
  room.on("gap", ({ messages }) => told.push(`gap of ${messages}`));
  room.on("malformed", ({ code }) => told.push(code));
  room.on("other", (value) => told.push(value));
  return { world, room, told };
}

const at = (message: string, offset: number, epoch = "e") => ({
  message,
  position: `${epoch}:${offset}`,
});

test("the first dial asks for nothing; the next hands the position of the last message over", async () => {
  const { world, room, told } = sit();
  const socket = await world.connect();
  assert.equal(socket.query("since"), null);
  socket.says({ welcome: { session: "s", position: "e:7" } });
  assert.equal(room.position, "e:7");
  socket.says(at("eight", 8));
  await world.reconnects();
  assert.equal(world.socket.query("since"), "e:8");
  world.socket.says({ welcome: { resumed: true, position: "e:10" } });
  world.socket.says(at("nine", 9));
  world.socket.says(at("ten", 10));
  assert.deepEqual(told, ["eight at e:8", "nine at e:9", "ten at e:10"]);
  assert.ok(!world.told.includes("gap"), "the room knows better than the link");
});

test("the position is handed over beside what the URL has already, and only as the last one", async () => {
  const world = new World({ url: "ws://server.example/rooms/a?name=b&since=old:1" });
  const room = new Room(world.link, { since: "e:1" });
  assert.equal(room.position, "e:1");
  await world.connect();
  assert.equal(world.socket.url, "ws://server.example/rooms/a?name=b&since=e%3A1");
});

test("not resumed is a gap, and the position is the server's", async () => {
  const { world, room, told } = sit();
  (await world.connect()).says({ welcome: { position: "e:7" } });
  await world.reconnects();
  world.socket.says({ welcome: { resumed: false, position: "f:2" } });
  assert.deepEqual(told, ["gap of null"]);
  assert.equal(room.position, "f:2");
  world.socket.says(at("three", 3, "f"));
  assert.deepEqual(told, ["gap of null", "three at f:3"]);
});

test("resumed and broken again before anything came: nothing of it is lost", async () => {
  const { world } = sit();
  (await world.connect()).says({ welcome: { position: "e:7" } });
  await world.reconnects();
  world.socket.says({ welcome: { resumed: true, position: "e:90" } });
  world.socket.says(at("eight", 8));
  await world.reconnects();
  assert.equal(world.socket.query("since"), "e:8");
});

test("a room without history has a gap at each reconnect", async () => {
  const { world, told } = sit();
  (await world.connect()).says({ welcome: { session: "s" } });
  world.socket.says({ message: "hello" });
  await world.reconnects();
  assert.equal(world.socket.query("since"), null);
  world.socket.says({ welcome: { session: "t" } });
  assert.deepEqual(told, ["hello", "gap of null"]);
});

test("a server that says resumed although nothing was asked for has resumed nothing", async () => {
  const { world, told } = sit();
  (await world.connect()).says({ welcome: {} });
  await world.reconnects();
  world.socket.says({ welcome: { resumed: true } });
  assert.deepEqual(told, ["gap of null"]);
});

test("a server that goes on without a word about the rest has not resumed", async () => {
  const { world, told } = sit();
  (await world.connect()).says(at("one", 1));
  await world.reconnects();
  world.socket.says(at("five", 5));
  world.socket.says({ welcome: { resumed: false, position: "e:5" } });
  assert.deepEqual(told, ["one at e:1", "gap of null", "five at e:5"]);
});

test("a position that was kept from an earlier visit is resumed, or is a gap", async () => {
  const kept = sit({ since: "e:4" });
  (await kept.world.connect()).says({ welcome: { resumed: true, position: "e:5" } });
  kept.world.socket.says(at("five", 5));
  assert.deepEqual(kept.told, ["five at e:5"]);

  const lost = sit({ since: "e:4" });
  (await lost.world.connect()).says({ welcome: { resumed: false, position: "f:0" } });
  assert.deepEqual(lost.told, ["gap of null"]);
});

test("a kept position that is none is an error at once, not at each dial", () => {
  assert.throws(() => sit({ since: "yesterday" }), { code: "WHARF_CONFIG" });
  assert.equal(sit({ since: undefined }).room.position, undefined);
});

test("a message is told once, however often the server sends it", async () => {
  const { world, told } = sit();
  const socket = await world.connect();
  const large = "18446744073709551614";
  for (const offset of ["1", "2", "1", "2", large, large, "18446744073709551615"]) {
    socket.says({ message: offset, position: `e:${offset}` });
  }
  socket.says(at("1", 1, "f"));
  assert.deepEqual(told, [
    "1 at e:1",
    "2 at e:2",
    `${large} at e:${large}`,
    "18446744073709551615 at e:18446744073709551615",
    "1 at f:1",
  ]);
});

test("gaps that the server tells are told on", async () => {
  const { world, told } = sit();
  const socket = await world.connect();
  socket.says({ gap: { messages: 3 } });
  socket.says({ gap: { messages: null } });
  assert.deepEqual(told, ["gap of 3", "gap of null"]);
});

test("who comes and goes is told", async () => {
  const { world, room } = sit();
  const told: unknown[] = [];
  for (const name of ["joined", "changed", "left"] as const)
    room.on(name, (member) => told.push([name, member]));
  room.on("welcome", (welcome) => told.push(["welcome", welcome]));
  const socket = await world.connect();
  socket.says({ welcome: { session: "s", node: "n" } });
  socket.says({ joined: { session: "s", name: "Ada" } });
  socket.says({ changed: { session: "s", metadata: { name: "Bo" } } });
  socket.says({ renamed: { session: "s", name: "Cy" } });
  socket.says({ left: { session: "s" } });
  assert.deepEqual(told, [
    ["welcome", { session: "s", node: "n" }],
    ["joined", { session: "s", name: "Ada" }],
    ["changed", { session: "s", metadata: { name: "Bo" } }],
    ["changed", { session: "s", name: "Cy" }],
    ["left", { session: "s" }],
  ]);
});

test("malformed texts are told as such, and neither end the link nor move the position", async () => {
  const { world, room, told } = sit();
  const socket = await world.connect();
  socket.says(at("one", 1));
  const texts = [
    "",
    "no JSON",
    "null",
    "[1]",
    "7",
    '{"welcome":7}',
    '{"welcome":{"position":9}}',
    '{"welcome":{"resumed":"yes"}}',
    '{"gap":true}',
    '{"gap":{"messages":"many"}}',
    '{"joined":{}}',
    '{"left":null}',
    '{"message":1,"position":5}',
    '{"message":1,"position":"e"}',
    '{"message":1,"position":"e:-1"}',
    '{"message":1,"position":":1"}',
    `{"message":1,"position":"${"e".repeat(300)}:1"}`,
  ];
  for (const text of texts) socket.saysText(text);
  socket.saysText(new ArrayBuffer(3));
  assert.deepEqual(told, ["one at e:1", ...texts.map(() => "WHARF_MALFORMED")]);
  assert.equal(room.position, "e:1");
  assert.equal(world.link.state, "open");
});

test("other objects are the application's", async () => {
  const { world, told } = sit();
  (await world.connect()).says({ published: { local: 2 } });
  assert.deepEqual(told, [{ published: { local: 2 } }]);
});

test("a link has one room", () => {
  const { world } = sit();
  assert.throws(() => new Room(world.link), { code: "WHARF_CONFIG" });
});
