// Just enough of the DevTools protocol to run a script in a page and hear what it prints. It goes
// over a pipe, so there is no port to choose, nothing to install, and a browser dies with us.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const COMMAND_DEADLINE_MS = 30_000; // also the browser's start, on a busy machine
const SCRIPT_DEADLINE_MS = 300_000; // the script's own waits are shorter, this is the last resort

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Containers give /dev/shm too little room.
  "--disable-dev-shm-usage",
  // A page of another origin reaches for a loopback address: that asks the user, who is not there.
  "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
  "--remote-debugging-pipe",
];

export function findBrowser() {
  const runs = (name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0;
  const { CHROMIUM } = process.env;
  return (CHROMIUM ? [CHROMIUM] : NAMES).find(runs);
}

export class Browser {
  #child;
  #profile;
  #ended;
  #lastId = 0;
  #answers = new Map();
  #listeners = new Set();
  #complaints = "";

  static async start(program, flags = []) {
    const browser = new Browser();
    browser.#launch(program, flags);
    await browser.command("Browser.getVersion").catch(async (error) => {
      await browser.stop();
      throw new Error(`${program} did not start: ${error.message}\n${browser.#complaints}`);
    });
    return browser;
  }

  #launch(program, flags) {
    this.#profile = mkdtempSync(join(tmpdir(), "wharf-browser-"));
    this.#child = spawn(program, [...FLAGS, ...flags, `--user-data-dir=${this.#profile}`, "about:blank"], {
      // The browser reads commands from its descriptor 3 and writes answers to its 4.
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
    });
    this.#child.stderr.on("data", (text) => (this.#complaints = (this.#complaints + text).slice(-4000)));
    this.#child.stdio[3].on("error", () => {}); // the end below says it better
    this.#ended = new Promise((resolve) => {
      this.#child.on("error", resolve);
      this.#child.on("exit", resolve);
    });
    this.#ended.then(() => {
      for (const { reject } of this.#answers.values()) reject(new Error("the browser has ended"));
      this.#answers.clear();
    });
    let pending = "";
    this.#child.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (pending + text).split("\0");
      pending = messages.pop();
      messages.forEach((message) => this.#receive(JSON.parse(message)));
    });
  }

  #receive(message) {
    const answer = this.#answers.get(message.id);
    if (!answer) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    this.#answers.delete(message.id);
    if (message.error) answer.reject(new Error(message.error.message));
    else answer.resolve(message.result);
  }

  /** Sends a DevTools command and waits for its result. */
  command(method, params = {}, sessionId = undefined, deadline = COMMAND_DEADLINE_MS) {
    const id = ++this.#lastId;
    const answer = new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject }));
    this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const late = setTimeout(() => {
      this.#answers.get(id)?.reject(new Error(`no answer to ${method} within ${deadline} ms`));
      this.#answers.delete(id);
    }, deadline);
    return answer.finally(() => clearTimeout(late));
  }

  listen(sessionId, method, listener) {
    this.#listeners.add((message) => {
      if (message.sessionId === sessionId && message.method === method) listener(message.params);
    });
  }

  /** A page at this address. With `files`, every request that it makes is answered from them, by path. */
  async openPage(url, files) {
    const { targetId } = await this.command("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.command("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId);
    if (files) await page.serve(files);
    await page.navigate(url);
    return page;
  }

  async stop() {
    this.command("Browser.close", {}, undefined, 5_000).catch(() => this.#child.kill("SIGKILL"));
    await this.#ended;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Page {
  #browser;
  #sessionId;

  constructor(browser, sessionId) {
    this.#browser = browser;
    this.#sessionId = sessionId;
  }

  #command(method, params, deadline) {
    return this.#browser.command(method, params, this.#sessionId, deadline);
  }

  #listen(method, listener) {
    this.#browser.listen(this.#sessionId, method, listener);
  }

  async serve(files) {
    this.#listen("Fetch.requestPaused", ({ requestId, request }) => {
      const file = files[new URL(request.url).pathname];
      const answer = file
        ? {
            responseCode: 200,
            responseHeaders: [{ name: "content-type", value: `${file.type}; charset=utf-8` }],
            body: Buffer.from(file.body).toString("base64"),
          }
        : { responseCode: 404 };
      this.#command("Fetch.fulfillRequest", { requestId, ...answer }).catch(() => {});
    });
    await this.#command("Fetch.enable");
  }

  async navigate(url) {
    await this.#command("Page.enable");
    const loaded = new Promise((resolve) => this.#listen("Page.loadEventFired", resolve));
    const { errorText } = await this.#command("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await loaded;
  }

  /** Takes the network away from the page, or gives it back; the page is told, as by a real one. */
  async setOffline(offline) {
    await this.#command("Network.enable");
    const unlimited = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await this.#command("Network.emulateNetworkConditions", { offline, ...unlimited });
  }

  /** The statuses with which the page's sockets are answered from now on, as they come. */
  async socketStatuses() {
    const statuses = [];
    this.#listen("Network.webSocketHandshakeResponseReceived", ({ response }) => statuses.push(response.status));
    await this.#command("Network.enable");
    return statuses;
  }

  /** The page as a PNG. */
  async screenshot() {
    const { data } = await this.#command("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data, "base64");
  }

  async size(width, height) {
    await this.#command("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
  }

  /** As somebody who prefers `light` or `dark`. */
  async scheme(value) {
    await this.#command("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
  }

  /** Types into whatever has the focus. */
  async type(text) {
    await this.#command("Input.insertText", { text });
  }

  /** Presses a key, as a person would: Enter, Tab, an arrow, or a character. */
  async press(key) {
    const windowsVirtualKeyCode = { Enter: 13, Tab: 9, ArrowDown: 40, ArrowUp: 38 }[key];
    const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
    for (const type of ["keyDown", "keyUp"]) {
      await this.#command("Input.dispatchKeyEvent", { type, key, code: key, windowsVirtualKeyCode, text });
    }
  }

  /** The value that the expression's promise resolves to; in it, `print(line)` calls `print`. */
  async run(expression, print) {
    this.#listen("Runtime.bindingCalled", ({ payload }) => print(payload));
    await this.#command("Runtime.enable");
    await this.#command("Runtime.addBinding", { name: "print" });
    const { result, exceptionDetails } = await this.#command(
      "Runtime.evaluate",
      { expression, awaitPromise: true, returnByValue: true },
      SCRIPT_DEADLINE_MS,
    );
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }
}
