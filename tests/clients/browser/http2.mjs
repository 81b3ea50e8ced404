// Sockets of a headless Chromium as streams of the HTTP/2 connection that its page came by.
//
//   node http2.mjs https://127.0.0.1:9103
//
// The page is the server's own, loaded over the network: it opens the connection. That sockets share
// it is seen by how they are answered: 200 is an extended CONNECT, 101 an upgrade on a connection of
// its own. The server's certificate is not checked: it is one of a moment.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Browser, findBrowser } from "./chromium.mjs";

const base = process.argv[2]?.replace(/\/$/, "");
if (!base) throw new Error("usage: node http2.mjs https://HOST:PORT");

const program = findBrowser();
if (!program) {
  console.error("error: no Chromium that runs. Debian, Ubuntu: apt-get install chromium. Or set CHROMIUM to the program");
  process.exit(2);
}

const SOCKETS = 20;
const checks = Buffer.from(readFileSync(new URL("checks.mjs", import.meta.url))).toString("base64");
let failed = 0;
const browser = await Browser.start(program, ["--ignore-certificate-errors"]);
try {
  const page = await browser.openPage(`${base}/fallback`);
  const statuses = await page.socketStatuses();
  const { protocol, count } = await page.run(
    `import("data:text/javascript;base64,${checks}").then(async ({ standardChecks, session, runChecks }) => {
      const base = ${JSON.stringify(base.replace(/^http/, "ws"))};
      const echo = (connection) => connection.echoes("hello");
      const [{ nextHopProtocol: protocol }] = performance.getEntriesByType("navigation");
      const count = await runChecks({
        ...standardChecks(WebSocket, base),
        "many-sockets-share-the-connection": () =>
          Promise.all(Array.from({ length: ${SOCKETS} }, () => session(WebSocket, base + "/same-origin", echo))),
      }, print);
      return { protocol, count };
    })`,
    console.log,
  );
  failed += count.failed;
  assert.equal(protocol, "h2", "the protocol of the page");
  assert.ok(statuses.length > SOCKETS, `${statuses.length} answers`);
  const opened = statuses.filter((status) => status < 300);
  assert.deepEqual([...new Set(opened)], [200], "how sockets were answered");
  console.log(`ok ${opened.length}-sockets-were-streams`);
} catch (error) {
  failed += 1;
  console.log(`FAILED: ${error.message}`);
} finally {
  await browser.stop();
}
process.exit(failed ? 1 : 0);
