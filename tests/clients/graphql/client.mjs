// Checks the GraphQL example with the npm clients of both protocols: `graphql-ws`, which speaks
// `graphql-transport-ws`, and `subscriptions-transport-ws`, which speaks the older `graphql-ws`.
//
//   node client.mjs ws://127.0.0.1:3000
//
// Prints `ok <name>` or `FAILED <name>: <why>` per check. Exits 1 if one failed.
import { createRequire } from "node:module";
import { join } from "node:path";
import { equal, runChecks, within } from "../browser/checks.mjs";

// The packages are installed into run.sh's cache and not beside this file.
const home = process.env.WHARF_NODE_HOME;
const require = createRequire(home ? join(home, "package.json") : import.meta.url);
const { createClient } = require("graphql-ws");
const { SubscriptionClient } = require("subscriptions-transport-ws");
const { WebSocket } = require("ws");

const base = process.argv[2]?.replace(/\/$/, "");
if (!base) throw new Error("usage: node client.mjs ws://HOST:PORT");
const url = `${base}/graphql`;

/** A client of today's protocol, for one check. */
async function today(check) {
  const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0 });
  try {
    await check((query, variables) => client.iterate({ query, variables }), client);
  } finally {
    await client.dispose();
  }
}

/** A client of the older protocol, with the same face. */
async function older(check) {
  const client = new SubscriptionClient(url, { reconnect: false }, WebSocket);
  try {
    await check((query, variables) => iterate(client.request({ query, variables })));
  } finally {
    client.close();
  }
}

/** What an observable yields, to be awaited one by one. */
function iterate(observable) {
  const came = [];
  let wake = () => {};
  const push = (item) => {
    came.push(item);
    wake();
  };
  const subscription = observable.subscribe({
    next: (value) => push({ value, done: false }),
    error: (error) => push({ error }),
    complete: () => push({ done: true }),
  });
  return {
    async next() {
      while (came.length === 0) await new Promise((resolve) => (wake = resolve));
      const item = came.shift();
      if (item.error) throw item.error;
      return item;
    },
    async return() {
      subscription.unsubscribe();
      push({ done: true });
      return { done: true };
    },
  };
}

const next = async (results, what) => (await within(results.next(), what)).value;
const ends = async (results) => equal((await within(results.next(), "end")).done, true, "the end");
const ADD = "mutation ($title: String!) { add(title: $title, author: \"Ada\") { title } }";

/** A title that no other check has. */
let titles = 0;
const title = () => `Notes ${process.pid} ${(titles += 1)} "<&> ⚓"`;

/** Operations run side by side: what was subscribed to before listens once this has counted. */
async function listening(run) {
  const numbers = run("subscription { count(to: 3) }");
  for (const number of [1, 2, 3]) equal((await next(numbers, "number")).data.count, number, "the number");
  await ends(numbers);
}

/** What both protocols promise alike. */
const shared = {
  "a-query-has-one-result": async (run) => {
    const books = run("{ books { title author } }");
    equal(Array.isArray((await next(books, "books")).data.books), true, "a list");
    await ends(books);
  },
  "a-mutation-takes-variables": async (run) => {
    const name = title();
    const added = run(ADD, { title: name });
    equal((await next(added, "book")).data.add.title, name, "the title");
    await ends(added);
  },
  "a-subscription-counts-to-its-end": async (run) => {
    const numbers = run("subscription { count(to: 200) }");
    for (let number = 1; number <= 200; number += 1) {
      equal((await next(numbers, "number")).data.count, number, "the number");
    }
    await ends(numbers);
  },
  "two-subscriptions-run-side-by-side": async (run) => {
    const [slow, fast] = [run("subscription { added { title } }"), run("subscription { count(to: 3) }")];
    for (const number of [1, 2, 3]) equal((await next(fast, "number")).data.count, number, "the number");
    await ends(fast);
    const name = title();
    const added = run(ADD, { title: name });
    equal((await next(slow, "news")).data.added.title, name, "the news");
    await next(added, "book");
    await slow.return();
  },
  "what-is-unsubscribed-is-heard-no-more": async (run) => {
    const [one, two] = [run("subscription { added { title } }"), run("subscription { added { title } }")];
    await listening(run);
    const first = title();
    await next(run(ADD, { title: first }), "book");
    for (const news of [one, two]) equal((await next(news, "news")).data.added.title, first, "the news");
    await one.return();
    const second = title();
    await next(run(ADD, { title: second }), "book");
    equal((await next(two, "news")).data.added.title, second, "the news");
    await ends(one);
    await two.return();
  },
};

/** An operation that is no GraphQL, and one that is too deep, are told as errors. */
const wrong = async (run) => {
  for (const query of ["{ nothing }", "{ books {", "{ books { title title2 } }"]) {
    let told;
    try {
      told = (await next(run(query), "errors")).errors;
    } catch (error) {
      told = Array.isArray(error) ? error : [error];
    }
    equal(told.length > 0, true, `errors of ${query}`);
  }
  await next(run("{ books { title } }"), "books");
};

/** What breaks the protocol ends with its code. */
async function closesWith(code, protocol, ...messages) {
  const socket = new WebSocket(url, protocol);
  const closed = new Promise((resolve) => socket.on("close", resolve));
  await within(new Promise((resolve) => socket.on("open", resolve)), "open");
  for (const message of messages) socket.send(message);
  equal(await within(closed, "close"), code, "the close code");
}

const INIT = `{"type":"connection_init"}`;
const START = `{"type":"subscribe","id":"1","payload":{"query":"{ books { title } }"}}`;

const checks = {
  "transport-ws-what-is-no-message-closes-with-4400": () => closesWith(4400, "graphql-transport-ws", INIT, "no message"),
  "transport-ws-an-operation-before-its-init-closes-with-4401": () => closesWith(4401, "graphql-transport-ws", START),
  "transport-ws-no-init-closes-with-4408": () => closesWith(4408, "graphql-transport-ws"),
  "transport-ws-a-second-init-closes-with-4429": () => closesWith(4429, "graphql-transport-ws", INIT, INIT),
  "another-protocol-is-refused": async () => {
    const socket = new WebSocket(url, "mqtt");
    const refused = new Promise((resolve) => socket.on("unexpected-response", (_, answer) => resolve(answer.statusCode)));
    equal(await within(refused, "refusal"), 400, "the status");
  },
};
for (const [prefix, client] of [["transport-ws", today], ["older", older]]) {
  for (const [name, check] of Object.entries(shared)) checks[`${prefix}-${name}`] = () => client(check);
  checks[`${prefix}-errors-are-told`] = () => client(wrong);
}

const count = await runChecks(checks, console.log);
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed ? 1 : 0);
