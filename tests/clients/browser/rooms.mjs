// Opens the page of the example `inspector` in a headless Chromium, over chatter whose names, rooms and
// words are markup: everything stays text; a room is found, looked into and published to; what is said
// is shown without its secrets.
//
//   node rooms.mjs ws://127.0.0.1:3000 [FOLDER FOR SCREENSHOTS]
//
// Prints `ok <name>` or `FAILED <name>: <why>` per check. Exits 1 if one failed, 2 if there is no
// browser. The browser is $CHROMIUM, or the first one found.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { equal } from "./checks.mjs";
import { address, finish, startBrowser, until } from "./visit.mjs";

const wsBase = address("rooms.mjs ws://HOST:PORT [FOLDER]");
const pictures = process.argv[3];
const base = wsBase.replace(/^ws/, "http");

const browser = await startBrowser();
const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const MARKUP = "<img src=x onerror=document.title='broken'>";
const NAMES = ["carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", MARKUP];
const ROOMS = ["harbour", "yard", "north pier", "lighthouse", `dock ${MARKUP}`];
const WORDS = ["the tide is in", "ship ahoy", '{"berth":4,"token":"abc123"}', "storm ahead, all hands", "x".repeat(700)];

/** People who chat, on the page of one who has not signed in. */
const talker = await browser.openPage(`${base}/inspect`);
await talker.run(`globalThis.sockets = [];
  globalThis.enter = (name, room) => new Promise((resolve, reject) => {
    const socket = new WebSocket("${wsBase}/rooms/" + encodeURIComponent(room) + "?name=" + encodeURIComponent(name));
    socket.onopen = () => { sockets.push(socket); resolve(); };
    socket.onerror = reject;
  });
  const [names, rooms] = ${JSON.stringify([NAMES, ROOMS])};
  Promise.all(names.flatMap((name, at) => rooms.filter((_, room) => (at + room) % 3 < 2).map((room) => enter(name, room))))`);
await talker.run(`const words = ${JSON.stringify(WORDS)};
  setInterval(() => sockets.forEach((socket, at) => {
    if (Math.random() < 0.005 * (1 + (at % 9))) socket.send(words[Math.floor(Math.random() * words.length)]);
  }), 100);
  setInterval(() => fetch("${base}/nowhere").catch(() => {}), 2700);
  setInterval(() => enter("visitor", "harbour").then(() => {
    const visitor = sockets.pop();
    setTimeout(() => visitor.close([1000, 4000, 4100][Math.floor(Math.random() * 3)], "${MARKUP.replaceAll('"', "'")}".slice(0, 100)), 1500);
  }), 900);`);

const page = await browser.openPage(`${base}/inspect`);
await page.size(1440, 900);
await page.run(`document.getElementById("token").value = "letmein"; document.querySelector("#door button").click();`);

const checks = {
  "names-and-rooms-stay-text": async () => {
    await until(page, `document.getElementById("state")?.textContent`, "live");
    await page.run(`globalThis.broken = []; document.addEventListener("securitypolicyviolation", (event) => broken.push(event.violatedDirective));`);
    await until(page, `[...document.querySelectorAll("#rows td")].some((cell) => cell.textContent === ${JSON.stringify(MARKUP)})`, true);
    await until(page, `[...document.querySelectorAll("#rooms-rows button")].some((cell) => cell.textContent === ${JSON.stringify(ROOMS[4])})`, true);
    await until(page, `document.getElementById("events").textContent.includes("reason <img")`, true);
  },
  "rooms-sort-and-are-found": async () => {
    await page.run(`document.querySelector("#rooms-columns-by-name button").click()`);
    await until(page, `document.getElementById("rooms-columns-by-name").getAttribute("aria-sort")`, "ascending");
    await until(page, `document.querySelector("#rooms-rows button").textContent`, ROOMS[4]);
    await page.run(`document.getElementById("rooms-prefix").focus()`);
    await page.type("har");
    await until(page, `document.getElementById("rooms-found").textContent`, "1 to 1 of 1");
    await until(page, `document.querySelector("#rooms-rows button").textContent`, "harbour");
  },
  "a-room-is-published-to-by-keyboard": async () => {
    await talker.run(`globalThis.heardStorm = 0; sockets.forEach((socket) => socket.addEventListener("message", ({ data }) => { heardStorm += data === "from the operator"; }))`);
    await page.run(`document.querySelector("#rooms-rows button").focus()`);
    await page.press("Enter");
    await until(page, `document.getElementById("room-title").textContent`, "Room harbour");
    await until(page, `document.querySelectorAll("#members li").length >= 6`, true);
    await page.run(`document.getElementById("publish-text").focus()`);
    await page.type("from the operator");
    await page.press("Enter");
    await until(page, `document.getElementById("says").textContent.startsWith("Done: publish harbour")`, true);
    await until(talker, `heardStorm === 6 || String(heardStorm)`, true);
  },
  "what-is-said-is-shown-without-its-secrets": async () => {
    await page.run(`document.getElementById("filter").value = "carol"; document.getElementById("filter").dispatchEvent(new Event("input"));`);
    await until(page, `document.getElementById("found").textContent.endsWith("of 4") || document.getElementById("found").textContent.endsWith("of 3")`, true);
    await page.run(`document.querySelector("#rows button").focus()`);
    await page.press("Enter");
    await talker.run(`setInterval(() => sockets.forEach((socket) => socket.send(${JSON.stringify(WORDS[2])})), 1000)`);
    await until(page, `[...document.querySelectorAll("#passed code")].some((line) => line.textContent === '{"berth":4,"token":•••}')`, true);
    equal(await page.run(`document.getElementById("passed").textContent.includes("abc123")`), false, "the secret is on the page");
  },
  "nothing-broke-the-policy": async () => {
    equal(await page.run(`document.querySelectorAll("img").length + broken.length + (document.title === "broken")`), 0, "images and violations");
  },
};

await finish(browser, checks, async () => {
  if (!pictures) return;
  await page.run(`document.getElementById("filter").value = ""; document.getElementById("filter").dispatchEvent(new Event("input"));
    document.getElementById("rooms-prefix").value = ""; document.getElementById("rooms-prefix").dispatchEvent(new Event("input"));
    document.querySelector("#columns-by-bytes_out button").click(); document.activeElement.blur();`);
  // For charts that have something to show.
  await rest(90_000);
  for (const scheme of ["light", "dark"]) {
    await page.scheme(scheme);
    writeFileSync(join(pictures, `inspector-${scheme}.png`), await page.screenshot());
  }
  await page.scheme("light");
  await page.run(`scrollTo(0, document.getElementById("hub").offsetTop - 70)`);
  await rest(500);
  writeFileSync(join(pictures, "inspector-rooms.png"), await page.screenshot());
});
