// The checks that need nothing but the WebSocket interface of the web standard. The browser runs
// them with its own WebSocket, Node with the one of the package `ws`.

/** For every single wait. */
export const DEADLINE_MS = 10_000;
const MEBIBYTE = 1024 * 1024;

/** Rejects when the promise takes longer than the deadline. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function equal(actual, expected, what) {
  if (actual !== expected) {
    const [got, wanted] = [actual, expected].map((value) => String(JSON.stringify(value)).slice(0, 80));
    throw new Error(`${what} is ${got}, expected ${wanted}`);
  }
}

const describe = (event) =>
  event.type === "close" ? `close ${event.code} "${event.reason}"` : event.type;

/** A socket whose events are awaited one by one, so that nothing unexpected goes unseen. */
export class Connection {
  #events = [];
  #waiting;

  constructor(socket) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    for (const type of ["open", "message", "close"]) {
      socket.addEventListener(type, (event) => {
        if (this.#waiting) this.#waiting(event);
        else this.#events.push(event);
        this.#waiting = undefined;
      });
    }
    // An error is always followed by a close, which the waits see; `ws` throws if nobody listens.
    socket.addEventListener("error", () => {});
  }

  /** The next event, which must be of this type. */
  async next(type) {
    const event =
      this.#events.shift() ??
      (await within(new Promise((resolve) => (this.#waiting = resolve)), type));
    if (event.type !== type) throw new Error(`expected ${type}, got ${describe(event)}`);
    return event;
  }

  /** Sends a message and expects it back, unchanged and of the same kind. */
  async echoes(message) {
    this.socket.send(message);
    await this.receives(message, "the echo");
  }

  async receives(message, what) {
    const { data } = await this.next("message");
    const kind = (value) => (typeof value === "string" ? "text" : "binary");
    equal(kind(data), kind(message), `the kind of ${what}`);
    const bytes = kind(data) === "text" ? data : new Uint8Array(data);
    equal(bytes.length, message.length, `the length of ${what}`);
    if (kind(data) === "text") return equal(data, message, what);
    const differs = bytes.findIndex((byte, index) => byte !== message[index]);
    if (differs !== -1) throw new Error(`${what} differs at byte ${differs}`);
  }

  /** The client closes and the server must answer with the same code. */
  async closes(code, reason) {
    this.socket.close(code, reason);
    const event = await this.next("close");
    equal(event.code, code, "the code in the server's answer");
    equal(event.wasClean, true, "wasClean");
    // The contract promises the code; a server may leave the reason out, but not invent one.
    if (event.reason) equal(event.reason, reason, "the reason in the server's answer");
  }

  /** The server closes. */
  async isClosed(code, reason) {
    const event = await this.next("close");
    equal(event.code, code, "the close code");
    equal(event.wasClean, true, "wasClean");
    if (reason !== undefined) equal(event.reason, reason, "the close reason");
  }
}

/** Opens a connection, hands it to `body`, and closes it politely unless that happened already. */
export async function session(WebSocket, url, body, ...options) {
  const connection = new Connection(new WebSocket(url, ...options));
  await connection.next("open");
  await body(connection, connection.socket);
  if (connection.socket.readyState === WebSocket.OPEN) await connection.closes(1000, "");
}

/** The browser does not say why an upgrade was refused: there is a close and never an open. */
export async function isRefused(WebSocket, url) {
  const event = await new Connection(new WebSocket(url)).next("close");
  equal(event.code, 1006, "the close code of a refused upgrade");
}

/** The extension is agreed on, and what is compressed comes back as it was. */
async function isCompressed(connection, socket) {
  if (!socket.extensions.startsWith("permessage-deflate")) {
    throw new Error(`the extensions are "${socket.extensions}"`);
  }
  const rows = JSON.stringify(Array.from({ length: 500 }, (_, id) => ({ id, name: `row ${id}` })));
  for (let round = 0; round < 3; round++) {
    for (const text of ["", "short", rows, rows.repeat(30)]) await connection.echoes(text);
    await connection.echoes(new TextEncoder().encode(rows));
  }
}

/** Name and function of every check, for one implementation of WebSocket. */
export function standardChecks(WebSocket, base) {
  const on = (path, body, ...options) => () => session(WebSocket, base + path, body, ...options);
  return {
    "text-echo": on("/echo", async (connection) => {
      for (const text of ["", "hello", "Grüße, 世界 🌍"]) await connection.echoes(text);
    }),
    "binary-echo": on("/echo", async (connection) => {
      await connection.echoes(new Uint8Array());
      await connection.echoes(Uint8Array.from({ length: 256 }, (_, index) => index));
    }),
    "one-mebibyte-echo": on("/echo", async (connection) => {
      await connection.echoes("0123456789abcdef".repeat(MEBIBYTE / 16));
      // 251 is prime, so that a piece lost or swapped anywhere shows.
      await connection.echoes(Uint8Array.from({ length: MEBIBYTE }, (_, index) => index % 251));
    }),
    "burst-comes-back-in-order": on("/echo", async (connection, socket) => {
      for (let number = 0; number < 500; number++) socket.send(String(number));
      for (let number = 0; number < 500; number++) await connection.receives(String(number), "the echo");
    }),
    "answers-the-heartbeat": on("/heartbeat", async (connection) => {
      // Long enough for several pings; every WebSocket answers them by itself.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await connection.echoes("still here");
    }),
    compressed: on("/deflate", isCompressed),
    "compressed-with-takeover": on("/deflate-takeover", isCompressed),
    "compressed-over-the-limit": on("/deflate-limit", async (connection, socket) => {
      await connection.echoes("x".repeat(1024));
      socket.send("x".repeat(100_000));
      await connection.isClosed(1009);
    }),
    "server-speaks-first": on("/greet", async (connection) => {
      await connection.receives("welcome", "the first message");
      await connection.echoes("hello");
    }),
    "path-and-query": on("/rooms/caf%C3%A9?a=1&b=%20", async (connection) => {
      const seen = JSON.parse((await connection.next("message")).data);
      equal(seen.room, "café", "room");
      equal(seen.query, "a=1&b=%20", "query");
      equal(seen.name, "stranger", "name");
    }),
    subprotocol: on("/protocols", async (connection, socket) => {
      equal(socket.protocol, "chat.v2", "the subprotocol");
      await connection.receives("chat.v2", "what the server says it selected");
      await connection.echoes("hello");
    }, ["chat.v1", "chat.v2"]),
    "subprotocol-none": on("/protocols", async (connection, socket) => {
      equal(socket.protocol, "", "the subprotocol");
      await connection.receives("none", "what the server says it selected");
    }),
    "refused-upgrade": () => isRefused(WebSocket, `${base}/teapot`),
    "close-by-client-1000": on("/echo", async (connection) => {
      await connection.echoes("hello");
      await connection.closes(1000, "");
    }),
    "close-by-client-4321-with-reason": on("/echo", async (connection) => {
      await connection.echoes("hello");
      await connection.closes(4321, "the client says bye");
    }),
    "close-by-server-4001-with-reason": on("/close/4001", (connection) => connection.isClosed(4001, "bye")),
    "close-when-the-handler-returns": on("/return", (connection) => connection.isClosed(1000)),
    "close-when-the-handler-fails": on("/fail", async (connection, socket) => {
      socket.send("go");
      await connection.isClosed(1011);
    }),
    "close-when-the-handler-fails-with-a-code": on("/fail/4010", async (connection, socket) => {
      socket.send("go");
      await connection.isClosed(4010, "custom");
    }),
  };
}

/** Runs the checks one after another and reports each as a line. Returns how many passed and failed. */
export async function runChecks(checks, print) {
  const count = { passed: 0, failed: 0 };
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      count.passed += 1;
      print(`ok ${name}`);
    } catch (error) {
      count.failed += 1;
      print(`FAILED ${name}: ${error.message}`);
    }
  }
  return count;
}
