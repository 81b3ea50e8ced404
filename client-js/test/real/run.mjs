// The package against Wharf's own servers, in Node and in a headless Chromium: the fixture's events,
// and rooms whose node is killed and comes back, with the history that Redis kept and without.
//
//   node test/real/run.mjs FIXTURE HUB_NODE        (the two programs; after `npm run build`)
//
// Prints `ok <name>` or `FAILED <name>: <why>` per check. Exits 1 if one failed, 2 if something is
// missing. The browser is $CHROMIUM, or the first one found.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import * as client from "wharf-client";
import { WebSocket } from "ws";
import { DEADLINE_MS, equal, runChecks } from "../../../tests/clients/browser/checks.mjs";
import { Browser, findBrowser } from "../../../tests/clients/browser/chromium.mjs";
import { channel, visit } from "./scenarios.mjs";

const [fixture, hubNode] = process.argv.slice(2);
const program = findBrowser();
if (!hubNode || !program) {
  console.error("usage: node run.mjs FIXTURE HUB_NODE, where there is a Chromium");
  process.exit(2);
}

const running = new Set();

/** Starts a program; resolves with it and its address once it says that it listens. */
async function start(command, ...args) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.once("error", (error) => {
    console.error(`${command} cannot be started: ${error.message}; .ci/install installs it`);
    process.exit(2);
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, address] = /listening on ([0-9.:]+)/.exec(line) ?? [];
    if (address) return { child, address };
    if (line.includes("Ready to accept connections")) return { child };
  }
  throw new Error(`${command} does not say that it listens`);
}

async function kill({ child }) {
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

const browser = await Browser.start(program);
const source = readFileSync(new URL("../../dist/wharf-client.js", import.meta.url), "utf8");

/** A page of the server's own, which is where its sockets may come from, with the package in it. */
async function openPage(address, path) {
  const page = await browser.openPage(`http://${address}${path}`);
  const run = (body) => page.run(`(async () => { ${body} })()`);
  await run(`
    const module = new Blob([${JSON.stringify(source)}], { type: "text/javascript" });
    globalThis.client = await import(URL.createObjectURL(module));
  `);
  return run;
}

/** A visit from here. */
function visitFromNode(address, path) {
  const visitor = visit(client, `ws://${address}${path}`, { WebSocket });
  return {
    told: async () => visitor.told.splice(0),
    say: async (message) => visitor.say(message),
    end: () => visitor.end(),
  };
}

/** The same from a page. */
async function visitFromPage(address, path) {
  const run = await openPage(address, "/stats");
  await run(`globalThis.visitor = (${visit})(client, ${JSON.stringify(path)}, {})`);
  return {
    told: () => run("return visitor.told.splice(0)"),
    say: (message) => run(`visitor.say(${JSON.stringify(message)})`),
    end: () => run("await visitor.end()"),
  };
}

/** Waits until the visitor has been told exactly this, next of all. */
async function hears(visitor, ...expected) {
  const told = [];
  const deadline = Date.now() + DEADLINE_MS;
  while (told.length < expected.length && Date.now() < deadline) {
    told.push(...(await visitor.told()));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  equal(told.join(" | "), expected.join(" | "), "what the room tells");
}

async function speaksEvents(play) {
  const server = await start(fixture, "127.0.0.1:0");
  const told = await play(server.address);
  const expected = {
    echo: { list: [1, null], text: "Grüße" },
    sum: 3,
    asked: "Ada",
    ticks: 100,
    heard: 100,
    together: [1, 2, 3],
    nobody: "WHARF_UNKNOWN_EVENT",
    admin: "WHARF_EVENT_DENIED",
    fail: "WHARF_HANDLER",
    panic: "WHARF_PANIC",
    slow: "WHARF_EVENT_TIMEOUT",
    add: "WHARF_INVALID_VALUE",
    last: "last",
    code: 1000,
    wasClean: true,
  };
  equal(JSON.stringify(told), JSON.stringify(expected), "what came of it");
  await kill(server);
}

/** The node is killed; another one publishes meanwhile, and Redis remembers. */
async function resumes(visitFrom) {
  const redis = await freePort();
  const engine = await start("redis-server", "--port", `${redis}`, "--save", "", "--dir", "/tmp");
  const bus = ["--bus", `redis://127.0.0.1:${redis}/`];
  const node = await start(hubNode, ...bus, "127.0.0.1:0");
  const other = await start(hubNode, ...bus, "127.0.0.1:0");
  const path = "/rooms/h-real";
  const [visitor, stayer] = [
    await visitFrom(node.address, path),
    visitFromNode(other.address, path),
  ];
  await hears(visitor, "there", "resumed: not asked");
  await hears(stayer, "there", "resumed: not asked");
  await visitor.say("one");
  await hears(visitor, "one");
  await hears(stayer, "one");

  await kill(node);
  await hears(visitor, "away");
  for (const word of ["two", "three"]) await stayer.say(word);
  await hears(stayer, "two", "three");
  const again = await start(hubNode, ...bus, node.address);
  await hears(visitor, "back", "resumed: true", "two", "three");
  await stayer.say("four");
  await hears(visitor, "four");

  await Promise.all([visitor.end(), stayer.end()]);
  for (const server of [again, other, engine]) await kill(server);
}

/** The node is killed, and its history with it. */
async function saysThatItMissed(visitFrom) {
  const node = await start(hubNode, "--bus", "local", "127.0.0.1:0");
  const visitor = await visitFrom(node.address, "/rooms/h-real");
  await hears(visitor, "there", "resumed: not asked");
  await visitor.say("one");
  await hears(visitor, "one");
  await kill(node);
  await hears(visitor, "away");
  const again = await start(hubNode, "--bus", "local", node.address);
  await hears(visitor, "back", "gap", "resumed: false");
  await visitor.say("two");
  await hears(visitor, "two");
  await visitor.end();
  await kill(again);
}

const checks = {
  "node-speaks-events": () =>
    speaksEvents((address) => channel(client, `ws://${address}/channel`, { WebSocket })),
  "page-speaks-events": () =>
    speaksEvents(async (address) => {
      const run = await openPage(address, "/fallback");
      return run(`return (${channel})(client, "/channel", {})`);
    }),
  "node-resumes-where-it-was": () => resumes(visitFromNode),
  "page-resumes-where-it-was": () => resumes(visitFromPage),
  "node-says-that-it-missed-something": () => saysThatItMissed(visitFromNode),
  "page-says-that-it-missed-something": () => saysThatItMissed(visitFromPage),
};

let count;
try {
  count = await runChecks(checks, console.log);
} finally {
  await browser.stop();
  for (const child of running) child.kill("SIGKILL");
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed ? 1 : 0);
