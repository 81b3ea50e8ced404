// A client that knows nothing but the document: it makes messages from the schemas, some that they
// allow and some that they forbid, and asks the running app whether it agrees.
//
//   node agree.mjs http://HOST:PORT /asyncapi CHANNEL
import { createRequire } from "node:module";
import { join } from "node:path";

const load = createRequire(join(process.env.WHARF_NODE_HOME ?? ".", "package.json"));
const Ajv = load("ajv").default;
const addFormats = load("ajv-formats").default;
const WebSocket = load("ws");

const DEADLINE_MS = 10_000;
const [base, path, channelId] = process.argv.slice(2);
if (!channelId) throw new Error("usage: node agree.mjs http://HOST:PORT /asyncapi CHANNEL");

const document = await (await fetch(base + path)).json();
const at = (reference) => reference.slice(2).split("/").reduce((value, name) => value[name], document);
const channel = document.channels[channelId];

const ajv = new Ajv({ strict: false });
addFormats(ajv);
for (const bits of [8, 16, 32]) {
  ajv.addFormat(`uint${bits}`, { type: "number", validate: (n) => n >= 0 && n < 2 ** bits });
  ajv.addFormat(`int${bits}`, { type: "number", validate: (n) => Math.abs(n) < 2 ** (bits - 1) });
}
ajv.addSchema({ $id: "document", components: document.components });

/** Whether a payload is one of the messages of the operations with this action. */
const validators = (action) =>
  Object.values(document.operations)
    .filter((operation) => operation.action === action && operation.channel.$ref === `#/channels/${channelId}`)
    .flatMap((operation) => operation.messages.map((message) => at(message.$ref)))
    .map((message) => {
      const absolute = JSON.parse(JSON.stringify(message.payload).replaceAll('"#/components', '"document#/components'));
      return { schema: message.payload, validate: ajv.compile(absolute) };
    });

const resolved = (schema) => (schema.$ref ? at(schema.$ref) : schema);

/** A value that the schema allows. */
function sample(schema) {
  schema = resolved(schema);
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.oneOf) return sample(schema.oneOf[0]);
  const type = [schema.type].flat()[0];
  if (type === "object") {
    const required = Object.entries(schema.properties ?? {}).filter(([name]) => schema.required?.includes(name));
    return Object.fromEntries(required.map(([name, field]) => [name, sample(field)]));
  }
  return { integer: schema.minimum ?? 1, number: 1.5, string: "text", boolean: true, array: [], null: null }[type] ?? null;
}

/** Values near a sample, each with something else than the schema names. */
function* bent(value) {
  yield null;
  yield "text";
  if (typeof value !== "object" || value === null) return;
  for (const name of Object.keys(value)) {
    const { [name]: _, ...rest } = value;
    yield rest;
    for (const other of [null, -1, 2 ** 40, 0.5, "text", [], {}]) yield { ...value, [name]: other };
  }
  yield { ...value, unheardOf: true };
}

/** What the app answers to a message: the parsed text, or the code that it closes with. */
async function ask(message) {
  const socket = new WebSocket(base.replace(/^http/, "ws") + channel.address);
  try {
    return await new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("no answer")), DEADLINE_MS).unref();
      socket.on("error", reject);
      socket.on("open", () => socket.send(JSON.stringify(message)));
      socket.on("message", (text) => resolve({ answer: JSON.parse(text) }));
      socket.on("close", (code) => resolve({ closed: code }));
    });
  } finally {
    socket.terminate();
  }
}

const [received, sent] = [validators("receive"), validators("send")];
let [allowed, forbidden, failed] = [0, 0, 0];
for (const { schema, validate } of received) {
  const good = sample(schema);
  for (const message of [good, ...bent(good)]) {
    const isAllowed = validate(message);
    const { answer, closed } = await ask(message);
    const isTaken = closed === undefined && sent.some(({ validate }) => validate(answer));
    isAllowed ? allowed++ : forbidden++;
    if (isAllowed !== isTaken) {
      failed++;
      const [says, does] = [isAllowed, isTaken].map((yes) => (yes ? "allows" : "forbids"));
      console.error(`FAILED the document ${says}, the app ${does} ${JSON.stringify(message)}: ${JSON.stringify(answer ?? closed)}`);
    }
  }
}
console.log(`${allowed} messages that the document allows, ${forbidden} that it forbids, ${failed} on which the app disagrees`);
process.exit(failed || !allowed || !forbidden ? 1 : 0);
