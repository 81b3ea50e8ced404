// Opens the chat example's page in a headless Chromium, several times, and lets the pages talk to
// each other as people would: through the form and the log.
//
//   node chat.mjs ws://127.0.0.1:3000
//
// Prints `ok <name>` or `FAILED <name>: <why>` per check. Exits 1 if one failed, 2 if there is no
// browser. The browser is $CHROMIUM, or the first one found.
import { address, finish, startBrowser, until } from "./visit.mjs";

const base = address("chat.mjs ws://HOST:PORT").replace(/^ws/, "http");

const browser = await startBrowser();

/** A visitor: one page in one room. */
class Visitor {
  #page;

  static async enter(room) {
    const visitor = new Visitor();
    visitor.#page = await browser.openPage(`${base}/#${encodeURIComponent(room)}`);
    await visitor.sees("connected");
    return visitor;
  }

  /** Types a line and presses the button. */
  async says(line) {
    await this.#page.run(`
      document.getElementById("text").value = ${JSON.stringify(line)};
      document.querySelector("#form button").click();
    `);
  }

  /** Waits until the page shows this state. */
  async sees(state) {
    await this.#until(`document.getElementById("state").textContent`, state);
  }

  /** Waits until the log is exactly these lines. */
  async reads(...lines) {
    await this.#until(`[...document.getElementById("log").children].map((line) => line.textContent).join("\\n")`, lines.join("\n"));
  }

  async #until(expression, expected) {
    await until(this.#page, expression, expected);
  }
}

const checks = {
  "two-pages-talk-to-each-other": async () => {
    const [alice, bob] = [await Visitor.enter("harbour"), await Visitor.enter("harbour")];
    await alice.says("hello Bob");
    await bob.reads("hello Bob");
    await bob.says("hello Alice, <b>how</b> are you? 🌊");
    await alice.reads("hello Bob", "hello Alice, <b>how</b> are you? 🌊");
    await bob.reads("hello Bob", "hello Alice, <b>how</b> are you? 🌊");
  },
  "rooms-hear-only-themselves": async () => {
    const [blue, red] = [await Visitor.enter("blue & deep"), await Visitor.enter("red")];
    await red.says("only red");
    await red.reads("only red");
    await blue.says("only blue");
    await blue.reads("only blue");
  },
  "a-line-that-is-too-long-ends-the-session-with-1009": async () => {
    const shouter = await Visitor.enter("loud");
    await shouter.says("a".repeat(5 * 1024));
    await shouter.sees("closed with 1009");
  },
};

await finish(browser, checks);
