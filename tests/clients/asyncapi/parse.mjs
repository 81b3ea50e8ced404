// Reads AsyncAPI documents with the official parser, and fails on whatever it says of one.
//
//   node parse.mjs FILE|URL...
//
// Exits 1 if the parser has an error, a warning or so much as a hint.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

const load = createRequire(join(process.env.WHARF_NODE_HOME ?? ".", "package.json"));
const { Parser } = load("@asyncapi/parser");

const read = async (from) => (from.startsWith("http") ? (await fetch(from)).text() : readFile(from, "utf8"));

const parser = new Parser();
let failed = false;
for (const source of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(await read(source));
  for (const { severity, code, message, path } of diagnostics) {
    console.error(`FAILED ${source}: ${["error", "warning", "info", "hint"][severity]} ${code}: ${message} at ${path.join(".")}`);
  }
  failed ||= diagnostics.length > 0 || !document;
  if (document) {
    const [channels, operations] = [document.channels().length, document.operations().length];
    console.log(`ok ${source}: AsyncAPI ${document.version()}, ${channels} channels, ${operations} operations`);
    failed ||= channels === 0;
  }
}
process.exit(failed ? 1 : 0);
