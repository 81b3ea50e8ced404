// Talks to an app through the client that generate.mjs made of its document: it makes messages from the
// schemas, some that they allow and some that they forbid, and asks the running app whether it agrees.
//
//   node agree.mjs http://HOST:PORT/DOCUMENT MODULE.mjs CHANNEL
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const load = createRequire(join(process.env.WHARF_NODE_HOME ?? ".", "package.json"));
const Ajv = load("ajv").default;
const addFormats = load("ajv-formats").default;
const WebSocket = load("ws");

const DEADLINE_MS = 10_000;
const [source, module, channelId] = process.argv.slice(2);
if (!channelId) throw new Error("usage: node agree.mjs http://HOST:PORT/DOCUMENT MODULE.mjs CHANNEL");

const document = await (await fetch(source)).json();
const at = (reference) => reference.slice(2).split("/").reduce((value, name) => value[name], document);
const Client = Object.entries(await import(resolve(module))).find(([name]) => name.toLowerCase() === channelId.replaceAll("-", ""))[1];

const ajv = new Ajv({ strict: false });
addFormats(ajv);
for (const bits of [8, 16, 32]) {
  ajv.addFormat(`uint${bits}`, { type: "number", validate: (n) => n >= 0 && n < 2 ** bits });
  ajv.addFormat(`int${bits}`, { type: "number", validate: (n) => Math.abs(n) < 2 ** (bits - 1) });
}
ajv.addSchema({ $id: "document", components: document.components });

/** A message with what says whether a payload is one. */
function compiled({ $ref }) {
  const message = at($ref);
  const absolute = JSON.parse(JSON.stringify(message.payload).replaceAll('"#/components', '"document#/components'));
  return { ...message, validate: ajv.compile(absolute) };
}
const operations = Object.entries(document.operations)
  .filter(([, { channel }]) => channel.$ref === `#/channels/${channelId}`)
  .map(([id, operation]) => ({ ...operation, name: id.slice(channelId.length + 1), messages: operation.messages.map(compiled) }));

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
  return { integer: Math.max(schema.minimum ?? 1, 1), number: 1.5, string: "text", boolean: true, array: [], null: null }[type] ?? null;
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

let [allowed, forbidden, failed] = [0, 0, 0];
function judge(isAllowed, isTaken, message, answer) {
  isAllowed ? allowed++ : forbidden++;
  if (isAllowed === isTaken) return;
  failed++;
  const [says, does] = [isAllowed, isTaken].map((yes) => (yes ? "allows" : "forbids"));
  console.error(`FAILED the document ${says}, the app ${does} ${JSON.stringify(message)}: ${JSON.stringify(answer)}`);
}

const late = () => new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), DEADLINE_MS).unref());

/** Calls `talk` with a client that is connected, whose sent messages are all checked. */
async function connected(talk) {
  const client = new Client(source.replace(/^http/, "ws").replace(new URL(source).pathname, ""), { WebSocket });
  try {
    await Promise.race([client.opened, late()]);
    return await Promise.race([talk(client), late()]);
  } finally {
    client.close();
  }
}

const camel = (name) => name.replace(/-(.)/g, (_, next) => next.toUpperCase());
const sends = operations.filter(({ action }) => action === "send");

/** Messages without a reply: the next message is the answer. */
async function agreeOnMessages({ messages }) {
  const taken = sends.flatMap((operation) => operation.messages).filter(({ name }) => name !== "undecodable");
  for (const { payload, validate } of messages) {
    const good = sample(payload);
    for (const message of [good, ...bent(good)]) {
      const answer = await connected((client) => {
        const answering = new Promise((resolve) => client.onMessage(resolve));
        client.send(message);
        return Promise.race([answering, client.closed.then((code) => ({ closed: code }))]);
      });
      const isKnown = sends.some((operation) => operation.messages.some(({ validate }) => validate(answer)));
      if (!isKnown && !("closed" in answer)) judge(false, true, message, answer);
      judge(validate(message), taken.some(({ validate }) => validate(answer)), message, answer);
    }
  }
}

/** Events with replies, of which a document says what is in them; and what the server sends meanwhile. */
async function agreeOnEvents({ name, messages: [event], reply }) {
  const [field, data] = Object.entries(event.payload.properties).find(([, data]) => data.$ref || data.type) ?? [];
  if (!field) return;
  const answered = compiled(reply.messages[0]);
  const good = sample(data);
  for (const value of [good, ...bent(good)]) {
    const message = { ...sample(event.payload), [field]: value };
    const told = [];
    const answer = await connected((client) => {
      for (const { name } of sends) client[camel(name)]((message) => told.push([name, message]));
      return client[camel(name)]({ [field]: value });
    });
    const isRight = answered.validate(answer);
    judge(event.validate(message), isRight && !("error" in answer), message, answer);
    if (!isRight) judge(false, true, message, answer);
    for (const [from, message] of told) {
      const operation = sends.find(({ name }) => name === from);
      judge(operation.messages.some(({ validate }) => validate(message)), true, message);
      emitted++;
    }
  }
}

let emitted = 0;
for (const operation of operations.filter(({ action }) => action === "receive")) {
  await (operation.reply ? agreeOnEvents : agreeOnMessages)(operation);
}
console.log(`${channelId}: ${allowed} messages that the document allows (${emitted} that the server sent by itself), ${forbidden} that it forbids, ${failed} on which the app disagrees`);
const hasEvents = operations.some(({ reply }) => reply);
process.exit(failed || !allowed || !forbidden || (hasEvents && !emitted) ? 1 : 0);
