// Loads `dist/wharf-client.js` into pages of a headless Chromium and takes their server away.
//
//   node test/browser/run.mjs        (after `npm test`, which compiles the server)
//
// Prints `ok <name>` or `FAILED <name>: <why>` per check. Exits 1 if one failed, 2 if there is no
// browser. The browser is $CHROMIUM, or the first one found.
import { DEADLINE_MS, equal, runChecks } from "../../../tests/clients/browser/checks.mjs";
import { Browser, findBrowser } from "../../../tests/clients/browser/chromium.mjs";
import { History, RoomServer } from "../../build/test/room-server.js";

const program = findBrowser();
if (!program) {
  console.error(
    "error: no Chromium that runs. Debian, Ubuntu: apt-get install chromium. Or set CHROMIUM to the program",
  );
  process.exit(2);
}

const browser = await Browser.start(program);

/** A page with a link, and a server that can be taken away from it. */
class Visit {
  #page;
  #port;

  /** Opens a page at the server's own address and makes a link there; `script` adds what sits on it. */
  static async begin(path, script = "", history = new History("first")) {
    const visit = new Visit();
    await visit.serve(history);
    visit.#page = await browser.openPage(`http://127.0.0.1:${visit.#port}/`);
    await visit.run(`
      const { Events, Link, Room } = await import("/wharf-client.js");
      globalThis.told = [];
      globalThis.link = new Link({ url: ${JSON.stringify(path)}, backoff: { baseMs: 50, capMs: 100 } });
      link.on("connected", ({ again }) => told.push(again ? "connected again" : "connected"));
      globalThis.refused = 0;
      link.on("disconnected", ({ code, final, opened, retryInMs }) => {
        // How often it dials in vain while there is no server is up to chance.
        if (!opened) return refused += 1;
        const next = final ? "for good" : retryInMs === undefined ? "until there is a network" : "for a moment";
        told.push(code + " " + next);
      });
      ${script}
      link.open();
    `);
    await visit.tells("connected");
    return visit;
  }

  async serve(history) {
    this.server = await RoomServer.start(history, this.#port);
    this.#port = this.server.port;
  }

  /** Runs the body of an async function in the page. */
  run(body) {
    return this.#page.run(`(async () => { ${body} })()`);
  }

  setOffline(offline) {
    return this.#page.setOffline(offline);
  }

  /** Waits until the page has told this, next of all. */
  async tells(...expected) {
    await this.#until(`told.length >= ${expected.length}`);
    const told = await this.run(`return told.splice(0, ${expected.length}).join(" | ")`);
    equal(told, expected.join(" | "), "what the page tells");
  }

  /** Waits until the page has dialled in vain at least this often. */
  async isRefused(times) {
    await this.#until(`refused >= ${times}`);
    equal(
      await this.run(`return refused >= ${times}`),
      true,
      `to have dialled ${times} times in vain`,
    );
    equal(await this.run("return told.length"), 0, "what the page tells besides");
  }

  async end() {
    equal(await this.run(`return told.join(" | ")`), "", "what the page tells besides");
    await this.run("await link.close()");
    await this.server.crash();
  }

  /** Waits for the condition, but not for ever: what is seen then says more than that it was late. */
  async #until(condition) {
    await this.run(`
      const deadline = Date.now() + ${DEADLINE_MS};
      while (!(${condition}) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
    `);
  }
}

const room = `
  const room = globalThis.room = new Room(link);
  room.on("welcome", ({ resumed }) => told.push("resumed: " + resumed));
  room.on("message", ({ message }) => told.push(message));
  room.on("gap", () => told.push("gap"));
`;

const checks = {
  "text-and-bytes-come-back": async () => {
    const visit = await Visit.begin(
      "/echo",
      `link.on("message", (data) => told.push(typeof data === "string" ? data : [...new Uint8Array(data)]));`,
    );
    await visit.run(
      `link.send("Grüße, 🌍"); link.send(new Uint8Array([1, 2, 3])); link.send(new Uint8Array([4]).buffer);`,
    );
    await visit.tells("Grüße, 🌍", "1,2,3", "4");
    await visit.end();
  },
  "calls-refusals-and-questions": async () => {
    const visit = await Visit.begin(
      "/events",
      `
      globalThis.events = new Events(link);
      events.answer("question", (question) => question + " Yes.");
    `,
    );
    equal(await visit.run(`return events.call("double", 21)`), 42, "the reply");
    equal(
      await visit.run(`return events.call("fail").catch(({ code }) => code)`),
      "NO",
      "the refusal",
    );
    equal(
      await visit.run(`return events.call("ask", "There?")`),
      "There? Yes.",
      "the answer to the server's question",
    );
    await visit.end();
  },
  "a-room-survives-its-server-and-resumes": async () => {
    const history = new History("first");
    const visit = await Visit.begin("/room", room, history);
    visit.server.publish("one");
    await visit.tells("resumed: undefined", "one");
    await visit.server.crash();
    await visit.tells("1006 for a moment");
    await visit.isRefused(1);
    history.messages.push("two", "three");
    await visit.serve(history);
    await visit.tells("connected again", "resumed: true", "two", "three");
    visit.server.publish("four");
    await visit.tells("four");
    equal(await visit.run("return room.position"), "first:4", "the position");
    await visit.end();
  },
  "a-room-whose-history-is-lost-tells-a-gap": async () => {
    const visit = await Visit.begin("/room", room);
    await visit.tells("resumed: undefined");
    await visit.server.crash();
    await visit.tells("1006 for a moment");
    await visit.serve(new History("second"));
    await visit.tells("connected again", "gap", "resumed: false");
    visit.server.publish("one");
    await visit.tells("one");
    await visit.end();
  },
  "a-page-without-a-network-waits-for-it": async () => {
    const visit = await Visit.begin("/room");
    await visit.setOffline(true);
    await visit.server.crash();
    await visit.tells("1006 until there is a network");
    await visit.serve(new History("first"));
    await visit.setOffline(false);
    await visit.tells("connected again");
    equal(visit.server.upgrades.length, 1, "how often the page dialled");
    await visit.end();
  },
  "a-code-of-the-application-is-for-good": async () => {
    const visit = await Visit.begin("/room");
    visit.server.closeAll(4000, "somebody else sits here now");
    await visit.tells("4000 for good");
    await visit.end();
  },
  "a-refused-upgrade-is-tried-again": async () => {
    const visit = await Visit.begin("/echo");
    visit.server.refuses = 503;
    visit.server.closeAll(1012, "restarting");
    await visit.tells("1012 for a moment");
    await visit.isRefused(2);
    visit.server.refuses = undefined;
    await visit.tells("connected again");
    await visit.end();
  },
};

let count;
try {
  count = await runChecks(checks, console.log);
} finally {
  await browser.stop();
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed ? 1 : 0);
