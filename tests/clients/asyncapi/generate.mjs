// Generates a client from an AsyncAPI 3 document: a module with a class for each channel, and in it a
// function for each of the channel's operations.
//
//   node generate.mjs FILE|URL MODULE.mjs
//
// It knows AsyncAPI and nothing of Wharf: a message's constants tell it from others, its correlation
// id and that of its reply belong together.
import { readFile, writeFile } from "node:fs/promises";

const [source, target] = process.argv.slice(2);
if (!target) throw new Error("usage: node generate.mjs FILE|URL MODULE.mjs");
const document = JSON.parse(source.startsWith("http") ? await (await fetch(source)).text() : await readFile(source, "utf8"));
const at = (reference) => reference.slice(2).split("/").reduce((value, name) => value[name], document);

const camel = (name) => name.replace(/[^A-Za-z0-9]+(.)?/g, (_, next = "") => next.toUpperCase());
const pascal = (name) => camel(name).replace(/^./, (first) => first.toUpperCase());
const show = (value) => JSON.stringify(value);

/** The fields of a message that are always the same. */
const constants = ({ payload }) =>
  Object.fromEntries(Object.entries(payload?.properties ?? {}).flatMap(([name, { const: value }]) => (value === undefined ? [] : [[name, value]])));
/** The field with a message's correlation id. */
const correlation = ({ correlationId }) => correlationId?.location.split("#/")[1];

/** What the client calls an operation, which the document names from the server's side. */
function nameOf(id, channel, action) {
  const own = id.startsWith(`${channel}.`) ? id.slice(channel.length + 1) : id;
  const name = { receive: "send", send: "onMessage" }[own === action ? own : ""] ?? camel(own);
  return ["close", "closed", "opened", "constructor"].includes(name) ? `${name}_` : name;
}

function operation(id, channel, { action, messages, reply }) {
  const said = messages.map(({ $ref }) => at($ref));
  const about = said.map(({ title, name }) => title ?? name).join(", ");
  const name = nameOf(id, channel, action);
  if (action === "send") {
    return `  /** Calls \`hear\` with each ${about} that the server sends. */
  ${name}(hear) {
    this.listen_(${show(said.map(constants))}, hear);
  }`;
  }
  if (!reply) {
    return `  /** Sends ${about}. */
  ${name}(payload) {
    this.send_(${show(said.length === 1 ? constants(said[0]) : {})}, payload);
  }`;
  }
  const [answer] = reply.messages.map(({ $ref }) => at($ref));
  return `  /** Sends ${about}; what comes back is its reply. */
  ${name}(payload) {
    return this.call_(${show(constants(said[0]))}, payload, ${show(correlation(said[0]))}, ${show(correlation(answer))});
  }`;
}

const classes = Object.entries(document.channels).map(([id, channel]) => {
  const own = Object.entries(document.operations).filter(([, { channel: { $ref } }]) => $ref === `#/channels/${id}`);
  return `/** ${channel.summary ?? channel.title ?? channel.address} */
export class ${pascal(id)} extends Connection_ {
  constructor(server, options) {
    super(server, ${show(channel.address)}, options);
  }

${own.map(([name, each]) => operation(name, id, each)).join("\n\n")}
}
`;
});

await writeFile(target, `// ${document.info.title} ${document.info.version}: generated, as its AsyncAPI document says.

/** A connection; \`options\` are \`parameters\` of the path, \`protocols\`, \`headers\`, and the WebSocket to use. */
class Connection_ {
  #socket;
  #listeners = [];
  #asked = new Map();
  #ids = 0;

  constructor(server, address, { parameters = {}, protocols = [], headers, WebSocket = globalThis.WebSocket } = {}) {
    const path = address.replace(/{(\\w+)}/g, (_, name) => encodeURIComponent(parameters[name]));
    this.#socket = new WebSocket(server + path, protocols, ...(headers ? [{ headers }] : []));
    this.#socket.addEventListener("message", ({ data }) => this.#hear(JSON.parse(data)));
    this.opened = new Promise((resolve, reject) => {
      this.#socket.addEventListener("open", resolve);
      this.#socket.addEventListener("error", reject);
    });
    this.closed = new Promise((resolve) => this.#socket.addEventListener("close", ({ code }) => resolve(code)));
  }

  close() {
    this.#socket.close(1000);
  }

  listen_(kinds, hear) {
    this.#listeners.push({ kinds, hear });
  }

  send_(constants, payload) {
    const isFixed = Object.keys(constants).length > 0;
    this.#socket.send(JSON.stringify(isFixed ? { ...payload, ...constants } : payload));
  }

  call_(constants, payload, id, answered) {
    const number = ++this.#ids;
    return new Promise((resolve) => {
      this.#asked.set(number, { answered, resolve });
      this.send_({ ...constants, [id]: number }, payload);
    });
  }

  #hear(message) {
    for (const [number, { answered, resolve }] of this.#asked) {
      if (message?.[answered] === number) {
        this.#asked.delete(number);
        return resolve(message);
      }
    }
    const isOf = (kind) => Object.entries(kind).every(([name, value]) => message?.[name] === value);
    for (const { kinds, hear } of this.#listeners) if (kinds.some(isOf)) hear(message);
  }
}

${classes.join("\n")}`);
