// Opens the inspector over very many busy sessions, in a headless Chromium, and says how long a frame
// of its page takes, and what the server spends while it is watched and while it is not.
//
//   node inspect_many.mjs ws://127.0.0.1:9101 [SESSIONS] [SERVER PID]
//
// Against the fixture. Needs the package `ws`: $WHARF_NODE_HOME, as tests/clients/run.sh installs it.
// Exits 1 if a frame takes 100 ms or more.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Browser, findBrowser } from "./chromium.mjs";

const load = createRequire(join(process.env.WHARF_NODE_HOME ?? ".", "package.json"));
const WebSocket = load("ws");
const [base, sessions = "10000", pid] = process.argv.slice(2);
if (!base) throw new Error("usage: node inspect_many.mjs ws://HOST:PORT [SESSIONS] [SERVER PID]");
const MEASURED_MS = 10_000;
const FRAME_MS = 100;
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const sockets = [];
for (let at = 0; at < Number(sessions); at += 200) {
  const some = Array.from({ length: Math.min(200, Number(sessions) - at) }, () =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${base}/echo`, { perMessageDeflate: false });
      socket.on("open", () => resolve(socket));
      socket.on("error", reject);
    }));
  sockets.push(...(await Promise.all(some)));
}
console.log(`${sockets.length} sessions are open`);

// Each says something every ten seconds or so: a thousand messages a second for ten thousand.
let next = 0;
const talking = setInterval(() => {
  for (let said = 0; said < sockets.length / 100; said++) sockets[next++ % sockets.length].send("x".repeat(64));
}, 100);

/** Processor seconds of the server so far. */
const spent = () => {
  if (!pid) return NaN;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
async function share(what) {
  const before = spent();
  await rest(MEASURED_MS);
  const percent = ((spent() - before) * 100_000) / MEASURED_MS;
  if (pid) console.log(`${what}: the server takes ${percent.toFixed(1)} % of a processor`);
  return percent;
}

await rest(2_000);
const alone = await share("nobody watches");
const browser = await Browser.start(findBrowser());
const page = await browser.openPage(`${base.replace(/^ws/, "http")}/inspect`);
await page.run(`document.getElementById("token").value = "letmein"; document.querySelector("#door button").click();`);
await rest(2_000);
await page.run(`globalThis.frames = [];
  for (const kind of Object.keys(heard)) {
    const hear = heard[kind];
    heard[kind] = (message) => {
      const began = performance.now();
      hear(message);
      // Styles and layout are part of a frame.
      document.body.getBoundingClientRect();
      if (kind === "look") frames.push(performance.now() - began);
    };
  }`);
const watched = await share("one watches");
if (pid) console.log(`watching takes ${(watched - alone).toFixed(1)} points`);
const frames = await page.run("frames.sort((a, b) => a - b)");
const found = await page.run(`document.getElementById("found").textContent`);
await browser.stop();
clearInterval(talking);
for (const socket of sockets) socket.terminate();
const [median, longest] = [frames[frames.length >> 1], frames.at(-1)];
console.log(`${found}: ${frames.length} frames, median ${median?.toFixed(1)} ms, longest ${longest?.toFixed(1)} ms`);
process.exit(frames.length >= 5 && longest < FRAME_MS ? 0 : 1);
