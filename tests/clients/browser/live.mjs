// Opens the live page's example in two windows of a headless Chromium: what one does, both show.
//
//   node live.mjs ws://127.0.0.1:3000
//
// Prints `ok <name>` or `FAILED <name>: <why>` per check. Exits 1 if one failed, 2 if there is no
// browser. The browser is $CHROMIUM, or the first one found.
import { equal } from "./checks.mjs";
import { address, finish, startBrowser, until } from "./visit.mjs";

const base = address("live.mjs ws://HOST:PORT").replace(/^ws/, "http");

const browser = await startBrowser();

/** One window that shows the list. */
class Window {
  #page;

  static async open() {
    const window = new Window();
    window.#page = await browser.openPage(`${base}/`);
    await window.shows(`document.getElementById("state").textContent`, "connected");
    return window;
  }

  run(script) {
    return this.#page.run(script);
  }

  /** Types a line and presses the button. */
  async adds(line) {
    await this.run(`
      document.getElementById("text").value = ${JSON.stringify(line)};
      document.querySelector("#form button").click();
    `);
  }

  async clicks(at) {
    await this.run(`document.querySelectorAll("#list li")[${at}].click()`);
  }

  /** Waits until the list is exactly these lines, those behind "x " done. */
  async lists(...lines) {
    const each = `(line) => (line.className === "done" ? "x " : "") + line.textContent`;
    await this.shows(`[...document.querySelectorAll("#list li")].map(${each}).join("\\n")`, lines.join("\n"));
  }

  /** Waits until an expression has this value. */
  async shows(expression, expected) {
    await until(this.#page, expression, expected);
  }
}

const EVIL = `<img src=x onerror="window.hacked = true"> & '<script>'`;

// One after the other: the list is the server's, and goes on from check to check.
const checks = {
  "what-one-window-adds-both-show": async () => {
    const [one, two] = [await Window.open(), await Window.open()];
    await one.adds("milk");
    await two.lists("milk");
    await two.adds("🍞 bread");
    for (const window of [one, two]) await window.lists("milk", "🍞 bread");
  },
  "what-one-window-ticks-both-show": async () => {
    const [one, two] = [await Window.open(), await Window.open()];
    await one.clicks(0);
    for (const window of [one, two]) await window.lists("x milk", "🍞 bread");
    await two.clicks(0);
    for (const window of [one, two]) await window.lists("milk", "🍞 bread");
  },
  "markup-is-shown-and-not-run": async () => {
    const [one, two] = [await Window.open(), await Window.open()];
    await one.adds(EVIL);
    // The second time it is part of the page as the server renders it at first.
    for (const window of [one, two, await Window.open()]) {
      await window.lists("milk", "🍞 bread", EVIL);
      await window.shows(`document.querySelectorAll("#list img, #list script").length`, 0);
      await window.shows(`String(window.hacked)`, "undefined");
    }
  },
  "a-refusal-is-told": async () => {
    const one = await Window.open();
    await one.adds("   ");
    await one.shows(`document.getElementById("state").textContent`, "write 1 to 200 bytes");
    await one.lists("milk", "🍞 bread", EVIL);
  },
  "the-page-has-the-list-before-its-socket": async () => {
    const html = await (await fetch(`${base}/`)).text();
    equal(html.includes(`data-line="1">🍞 bread</li>`), true, "the list in the page");
  },
};

await finish(browser, checks);
