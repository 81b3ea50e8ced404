// Opens the inspector in a headless Chromium as somebody who runs the server would: signs in, finds
// the slow one, follows it, closes it, with the keyboard; in light and in dark.
//
//   node inspect.mjs ws://127.0.0.1:9101 [FOLDER FOR SCREENSHOTS]
//
// Prints `ok <name>` or `FAILED <name>: <why>` per check. Exits 1 if one failed, 2 if there is no
// browser. The browser is $CHROMIUM, or the first one found.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { equal } from "./checks.mjs";
import { address, finish, startBrowser, until } from "./visit.mjs";

const wsBase = address("inspect.mjs ws://HOST:PORT [FOLDER]");
const base = wsBase.replace(/^ws/, "http");
const pictures = process.argv[3];

const browser = await startBrowser();

const text = (id) => `document.getElementById("${id}").textContent`;

async function signedIn(token = "letmein") {
  const page = await browser.openPage(`${base}/inspect`);
  if (await page.run(`Boolean(document.getElementById("token"))`)) {
    await page.run(`document.getElementById("token").value = ${JSON.stringify(token)}; document.querySelector("#door button").click();`);
  }
  return page;
}

async function picture(page, name) {
  if (pictures) writeFileSync(join(pictures, `${name}.png`), await page.screenshot());
}

/** Opens echo sockets from a page of the server's own origin; each has said something. */
const openSockets = (page, path, count) =>
  page.run(`globalThis.sockets = []; Promise.all(Array.from({ length: ${count} }, () => new Promise((resolve, reject) => {
    const socket = new WebSocket("${wsBase}${path}");
    sockets.push(socket);
    socket.onerror = reject;
    socket.onclose = ({ code }) => { globalThis.closedWith = code; };
    socket.onmessage = () => resolve();
    socket.onopen = () => socket.send("hello");
  }))).then(() => sockets.length)`);

const MARKUP = "/rooms/%3Cimg%20src=x%20onerror=document.title=%27broken%27%3E";

const checks = {
  "a-wrong-token-is-told-and-the-right-one-enters": async () => {
    const page = await browser.openPage(`${base}/inspect`);
    await page.run(`document.getElementById("token").value = "wrong"; document.querySelector("#door button").click();`);
    await until(page, text("says"), "This token is not valid.");
    await page.run(`document.getElementById("token").value = "letmein"; document.querySelector("#door button").click();`);
    await until(page, `document.getElementById("state")?.textContent`, "live");
    await until(page, `document.getElementById("who").textContent.split(",")[0]`, "alice");
  },
  "a-session-is-found-followed-and-closed-by-keyboard": async () => {
    const talker = await browser.openPage(`${base}/fallback`);
    await openSockets(talker, "/greet", 1);
    const page = await signedIn();
    await until(page, `document.getElementById("state")?.textContent`, "live");
    await page.press("/");
    await until(page, `document.activeElement.id`, "filter");
    await page.type("/greet");
    // Not their number: before the filter is heard of, there may be one as well.
    await until(page, `[...document.querySelectorAll("#rows tr")].map((row) => row.children[1].textContent).join()`, "/greet");
    await until(page, text("found"), "1 to 1 of 1");
    // Past both page buttons, which are disabled, and the heads, to the session's own button.
    await page.run(`document.querySelector("#rows button").focus()`);
    await page.press("Enter");
    await until(page, `document.getElementById("followed").hidden`, false);
    await talker.run(`sockets[0].send("followed")`);
    await until(page, `[...document.querySelectorAll("#passed li")].map((line) => line.children[1].textContent + line.children[2].textContent + line.children[3].textContent).sort().join()`, "intext8 B,outtext8 B");
    await until(page, text("passed-note"), "their contents are not shown");
    await page.press("Tab");
    await until(page, `document.activeElement.textContent`, "Close");
    await page.press("Enter");
    await until(page, `document.activeElement.textContent`, "Really close?");
    await page.press("Enter");
    await until(talker, `globalThis.closedWith`, 1008);
    await until(page, `document.getElementById("rows").children.length`, 0);
    await until(page, `document.getElementById("events").textContent.includes("action close-session")`, true);
    await until(page, `document.getElementById("says").textContent.startsWith("Done: close session")`, true);
  },
  "columns-sort-both-ways-and-say-so": async () => {
    const page = await signedIn();
    await until(page, `document.getElementById("columns-by-queue_bytes")?.getAttribute("aria-sort")`, "descending");
    await page.run(`document.querySelector("#columns-by-age_ms button").click()`);
    await until(page, `document.getElementById("columns-by-age_ms").getAttribute("aria-sort")`, "descending");
    await page.run(`document.querySelector("#columns-by-age_ms button").click()`);
    await until(page, `document.getElementById("columns-by-age_ms").getAttribute("aria-sort")`, "ascending");
  },
  "markup-stays-text-and-nothing-breaks-the-policy": async () => {
    const page = await signedIn();
    await until(page, `document.getElementById("state")?.textContent`, "live");
    await page.run(`globalThis.broken = []; document.addEventListener("securitypolicyviolation", (event) => broken.push(event.violatedDirective));`);
    const talker = await browser.openPage(`${base}/fallback`);
    await openSockets(talker, MARKUP, 1);
    await page.run(`document.getElementById("filter").value = "<img src=x>"; document.getElementById("filter").dispatchEvent(new Event("input"));`);
    await until(page, text("found"), "none");
    await page.run(`fetch("${base}/%3Cimg%20src=x%20onerror=alert(1)%3E").catch(() => {})`);
    await until(page, `document.getElementById("events").textContent.includes("WHARF_NOT_FOUND")`, true);
    await until(page, `document.getElementById("chart-rejections").textContent.includes("NOT_FOUND")`, true);
    await talker.run(`sockets[0].close(4000, "<img src=x onerror=alert(1)>")`);
    await until(page, `document.getElementById("events").textContent.includes("reason <img src=x onerror=alert(1)>")`, true);
    equal(await page.run(`document.querySelectorAll("img").length + broken.length`), 0, "images and violations");
  },
  "it-is-live-in-light-and-in-dark": async () => {
    const talker = await browser.openPage(`${base}/fallback`);
    await openSockets(talker, "/echo", 40);
    await talker.run(`setInterval(() => sockets.forEach((socket, at) => { if (Math.random() < 0.4) socket.send("x".repeat(20 * at)); }), 100)`);
    const page = await signedIn();
    await page.size(1440, 900);
    await until(page, `document.getElementById("state")?.textContent`, "live");
    await until(page, `document.querySelectorAll("#rows tr").length >= 40`, true);
    await page.run(`document.querySelector("#rows button").click(); new Promise((resolve) => setTimeout(resolve, 6000))`);
    for (const scheme of ["light", "dark"]) {
      await page.scheme(scheme);
      await picture(page, `inspector-${scheme}`);
    }
    const colors = await page.run(`getComputedStyle(document.documentElement).colorScheme`);
    equal(colors, "light dark", "the schemes that the page knows");
    const frame = await page.run(`(() => { const before = performance.now(); draw(); return performance.now() - before; })()`);
    equal(frame < 100, true, `a frame takes ${frame} ms, which is below 100`);
  },
};

await finish(browser, checks);
