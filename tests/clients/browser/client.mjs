// Checks a Wharf fixture server with the WebSocket of a headless Chromium.
//
//   node client.mjs ws://127.0.0.1:9101
//
// Prints `ok <name>` or `FAILED <name>: <why>` per check. Exits 1 if one failed, 2 if there is no
// browser. The browser is $CHROMIUM, or the first one found.
import { readFileSync } from "node:fs";
import { address, startBrowser } from "./visit.mjs";

const base = address("client.mjs ws://HOST:PORT");

// What the pages see, whatever their origin: an empty page and the checks.
const files = {
  "/": { type: "text/html", body: "<!doctype html><title>wharf</title>" },
  "/checks.mjs": { type: "text/javascript", body: readFileSync(new URL("checks.mjs", import.meta.url)) },
};

// The page has the server's own origin, because a browser always sends one and the routes'
// default policy admits only its own.
const ownOrigin = base.replace(/^ws/, "http");
const suites = [
  {
    origin: ownOrigin,
    checks: `({
      ...standardChecks(WebSocket, base),
      "own-origin-is-admitted": () =>
        session(WebSocket, base + "/same-origin", (connection) => connection.echoes("hello")),
      "own-origin-is-refused-when-not-listed": () => isRefused(WebSocket, base + "/origins"),
    })`,
  },
  {
    origin: "https://app.example",
    checks: `({
      "listed-origin-is-admitted": () =>
        session(WebSocket, base + "/origins", (connection) => connection.echoes("hello")),
      "foreign-origin-is-refused": () => isRefused(WebSocket, base + "/same-origin"),
    })`,
  },
];

const total = { passed: 0, failed: 0 };
// Over TLS, the server's certificate is one of a moment.
const flags = base.startsWith("wss") ? ["--ignore-certificate-errors"] : [];
const browser = await startBrowser(flags);
try {
  for (const { origin, checks } of suites) {
    const page = await browser.openPage(`${origin}/`, files);
    const count = await page.run(
      `import("/checks.mjs").then(({ standardChecks, session, isRefused, runChecks }) => {
        const base = ${JSON.stringify(base)};
        return runChecks(${checks}, print);
      })`,
      console.log,
    );
    total.passed += count.passed;
    total.failed += count.failed;
  }
} catch (error) {
  total.failed += 1;
  console.log(`FAILED to drive the browser: ${error.message}`);
} finally {
  await browser.stop();
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed ? 1 : 0);
