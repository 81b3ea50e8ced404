// Sockets of a headless Chromium as streams of the HTTP/2 connection that its page came by.
//
//   node http2.mjs https://127.0.0.1:9103
//
// The page is the server's own, loaded over the network: it opens the connection. That sockets share
// it is seen by how they are answered: 200 is an extended CONNECT, 101 an upgrade on a connection of
// its own. The server's certificate is not checked: it is one of a moment.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { address, startBrowser } from "./visit.mjs";

const base = address("http2.mjs https://HOST:PORT");

const SOCKETS = 20;
const checks = Buffer.from(readFileSync(new URL("checks.mjs", import.meta.url))).toString("base64");
let failed = 0;
const browser = await startBrowser(["--ignore-certificate-errors"]);
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
