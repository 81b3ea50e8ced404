// What every look at a page begins and ends with: an address, a browser, waiting, and a count.
import { Browser, findBrowser } from "./chromium.mjs";
import { DEADLINE_MS, equal, runChecks } from "./checks.mjs";

/** The address that the program was given, without a slash at its end. */
export function address(usage) {
  const base = process.argv[2]?.replace(/\/$/, "");
  if (!base) throw new Error(`usage: node ${usage}`);
  return base;
}

/** The browser; the program ends with 2 if there is none. */
export function startBrowser(flags) {
  const program = findBrowser();
  if (!program) {
    console.error("error: no Chromium that runs. Debian, Ubuntu: apt-get install chromium. Or set CHROMIUM to the program");
    process.exit(2);
  }
  return Browser.start(program, flags);
}

/** Waits until the expression is what is expected, in the page, which may load again meanwhile. */
export async function until(page, expression, expected) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const seen = await page.run(expression).catch((error) => error.message);
    if (seen === expected) return;
    if (Date.now() > deadline) equal(seen, expected, expression);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs checks, then `afterwards` if none failed; stops the browser and ends the program, with 1 if one failed. */
export async function finish(browser, checks, afterwards = async () => {}) {
  let count;
  try {
    count = await runChecks(checks, console.log);
    if (!count.failed) await afterwards();
  } finally {
    await browser.stop();
  }
  console.log(`${count.passed} passed, ${count.failed} failed`);
  process.exit(count.failed ? 1 : 0);
}
