// src/error.ts
var WharfError = class extends Error {
  name = "WharfError";
  /** What to branch on. */
  code;
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
};
function reportUncaught(error) {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else
    queueMicrotask(() => {
      throw error;
    });
}

// src/calls.ts
var CallError = class _CallError extends Error {
  /** From what came over the wire. */
  static of({ code, message, issues }) {
    return new _CallError(code, message, issues);
  }
  name = "CallError";
  code;
  issues;
  constructor(code, message, issues) {
    super(message);
    this.code = code;
    if (issues) this.issues = issues;
  }
};
var PendingCalls = class {
  #link;
  #envelope;
  #timeoutMs;
  #max;
  #pending = /* @__PURE__ */ new Map();
  #lastId = 0;
  constructor(link, envelope, timeoutMs, max) {
    this.#link = link;
    this.#envelope = envelope;
    this.#timeoutMs = timeoutMs;
    this.#max = max;
    link.on("disconnected", () => this.#disconnected());
  }
  async call(event, data, { timeoutMs = this.#timeoutMs, signal }) {
    signal?.throwIfAborted();
    if (this.#pending.size >= this.#max) {
      throw new WharfError(
        "WHARF_BACKPRESSURE",
        `${this.#max} calls wait for their reply; await some before the next`
      );
    }
    const id = ++this.#lastId;
    const delivery = this.#link.send(this.#envelope.event(event, data, id));
    let letGo2 = () => {
    };
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { delivery, resolve, reject });
        const late = new WharfError(
          "WHARF_REPLY_TIMEOUT",
          `no reply to "${event}" within ${timeoutMs} ms`
        );
        const cancelTimer = this.#link.clock.after(timeoutMs, () => reject(late));
        const aborted = () => reject(signal?.reason);
        signal?.addEventListener("abort", aborted);
        letGo2 = () => {
          cancelTimer();
          signal?.removeEventListener("abort", aborted);
        };
      });
    } finally {
      letGo2();
      this.#pending.delete(id);
      delivery.cancel();
    }
  }
  /** Whether there ever was such a call. A reply that comes too late is no mistake of the server. */
  wasMade(id) {
    return id >= 1 && id <= this.#lastId;
  }
  resolve(id, data) {
    this.#pending.get(id)?.resolve(data);
  }
  reject(id, error) {
    this.#pending.get(id)?.reject(error);
  }
  /** Those that are queued go on waiting, unless the queue was thrown away. */
  #disconnected() {
    for (const { delivery, reject } of this.#pending.values()) {
      if (delivery.state === "sent") {
        reject(
          new WharfError(
            "WHARF_DISCONNECTED",
            "the connection broke before the reply: the call may have been done"
          )
        );
      } else if (delivery.state === "dropped") {
        reject(
          new WharfError(
            "WHARF_CLOSED",
            "the link was closed before the call was sent: it was not done"
          )
        );
      }
    }
  }
};

// src/answers.ts
var Answers = class {
  #link;
  #envelope;
  #max;
  #functions = /* @__PURE__ */ new Map();
  #underWay = 0;
  #connection = new AbortController();
  constructor(link, envelope, max) {
    this.#link = link;
    this.#envelope = envelope;
    this.#max = max;
    link.on("disconnected", () => {
      this.#connection.abort();
      this.#connection = new AbortController();
    });
  }
  register(event, answer) {
    if (this.#functions.has(event)) {
      throw new WharfError("WHARF_CONFIG", `"${event}" has a function that answers it already`);
    }
    this.#functions.set(event, answer);
  }
  /** There is one reply for each request, whatever happens, unless the connection is gone. */
  answer(event, data, id) {
    const { signal } = this.#connection;
    const answer = this.#functions.get(event);
    if (!answer) return this.#send(signal, this.#envelope.failure(id, UNKNOWN_EVENT));
    if (this.#underWay >= this.#max)
      return this.#send(signal, this.#envelope.failure(id, TOO_MANY));
    this.#underWay += 1;
    Promise.resolve().then(() => answer(data, { signal })).then((reply) => this.#envelope.reply(id, reply)).catch((error) => this.#envelope.failure(id, failureOf(error))).then((text) => {
      this.#underWay -= 1;
      this.#send(signal, text);
    });
  }
  /** To this very connection or to none: on the next one the id means something else. */
  #send(connection, text) {
    if (connection.aborted) return;
    try {
      this.#link.send(text).cancel();
    } catch (error) {
      reportUncaught(error);
    }
  }
};
function failureOf(error) {
  if (error instanceof CallError) {
    const { code, message, issues } = error;
    return { code, message, ...issues && { issues } };
  }
  reportUncaught(error);
  return { code: "WHARF_HANDLER", message: "the function that answers failed" };
}
var UNKNOWN_EVENT = {
  code: "WHARF_UNKNOWN_EVENT",
  message: "nothing here answers this event"
};
var TOO_MANY = {
  code: "WHARF_BACKPRESSURE",
  message: "too many requests are being answered"
};

// src/emitter.ts
var Emitter = class {
  #listeners = /* @__PURE__ */ new Map();
  /** Calls the listener each time. Returns the function that ends it. */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? /* @__PURE__ */ new Set();
    this.#listeners.set(name, listeners);
    const own = (value) => listener(value);
    listeners.add(own);
    return () => {
      listeners.delete(own);
    };
  }
  tell(name, value) {
    for (const listener of [...this.#listeners.get(name) ?? []]) {
      try {
        listener(value);
      } catch (error) {
        reportUncaught(error);
      }
    }
  }
};

// src/json.ts
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function isOptional(type, value) {
  return value === void 0 || typeof value === type;
}
function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return isObject(value) ? value : void 0;
  } catch {
    return void 0;
  }
}

// src/envelope.ts
var DEFAULT_FIELDS = {
  event: "event",
  data: "data",
  id: "id",
  reply: "reply",
  error: "error"
};
var Envelope = class {
  #fields;
  constructor(fields = {}) {
    this.#fields = { ...DEFAULT_FIELDS, ...fields };
  }
  event(event, data, id) {
    const { event: eventField, data: dataField, id: idField } = this.#fields;
    return JSON.stringify({ [eventField]: event, [dataField]: data, [idField]: id });
  }
  reply(id, data) {
    return JSON.stringify({ [this.#fields.reply]: id, [this.#fields.data]: data ?? null });
  }
  failure(id, failure) {
    return JSON.stringify({ [this.#fields.reply]: id, [this.#fields.error]: failure });
  }
  read(text) {
    const value = parseObject(text);
    if (!value) return { kind: "malformed", what: "a text of the server is not a JSON object" };
    const { event, reply } = this.#fields;
    if (value[reply] !== void 0) return this.#readReply(value[reply], value);
    if (value[event] !== void 0) return this.#readEvent(value[event], value);
    return { kind: "other" };
  }
  #readReply(id, value) {
    if (typeof id === "string") return { kind: "other" };
    const failure = value[this.#fields.error];
    if (failure === void 0) {
      return typeof id === "number" ? { kind: "reply", id, data: value[this.#fields.data] } : { kind: "malformed", what: "a reply of the server has no usable id" };
    }
    if (typeof id !== "number" && id !== null) {
      return { kind: "malformed", what: "an error reply of the server has no usable id" };
    }
    if (!isFailure(failure))
      return { kind: "malformed", what: "an error reply of the server has no code" };
    const { code, message = "", issues } = failure;
    return { kind: "failure", id, failure: { code, message, ...issues && { issues } } };
  }
  #readEvent(event, value) {
    const { [this.#fields.data]: data, [this.#fields.id]: id } = value;
    if (typeof event !== "string")
      return { kind: "malformed", what: "an event's name is not a string" };
    if (id === void 0) return { kind: "event", event, data };
    if (!isId(id)) return { kind: "malformed", what: "a request of the server has no usable id" };
    return { kind: "event", event, data, id };
  }
};
function isId(value) {
  return typeof value === "string" || typeof value === "number";
}
function isFailure(value) {
  if (!isObject(value)) return false;
  const { code, message, issues } = value;
  return typeof code === "string" && isOptional("string", message) && (issues === void 0 || Array.isArray(issues));
}

// src/events.ts
var Events = class {
  #link;
  #envelope;
  #calls;
  #answers;
  #events = new Emitter();
  // Apart from the server's events, which may have any name.
  #told = new Emitter();
  constructor(link, options = {}) {
    this.#link = link;
    this.#envelope = new Envelope(options.fields);
    this.#calls = new PendingCalls(
      link,
      this.#envelope,
      options.callTimeoutMs ?? 1e4,
      options.maxCalls ?? 64
    );
    this.#answers = new Answers(link, this.#envelope, options.maxAnswers ?? 64);
    link.on("message", (data) => {
      if (typeof data === "string") this.#receive(data);
    });
  }
  /** Calls the listener for each such event of the server. Returns the function that ends it. */
  on(event, listener) {
    return this.#events.on(event, listener);
  }
  /** Calls the listener when the server refuses an event that was sent without asking for a reply. */
  onRefused(listener) {
    return this.#told.on("refused", listener);
  }
  /** Calls the listener for each text that is not what was agreed. The link goes on. */
  onMalformed(listener) {
    return this.#told.on("malformed", listener);
  }
  /** Sends an event that wants no reply; a refusal is told to `onRefused`. Throws what `Link.send` throws. */
  send(event, data) {
    return this.#link.send(this.#envelope.event(event, data));
  }
  /**
   * Sends an event and resolves with its reply.
   *
   * Rejects with a `CallError` if the server says no, otherwise with a `WharfError`:
   * `WHARF_REPLY_TIMEOUT`, `WHARF_DISCONNECTED` (the connection broke after the call was sent; it is
   * not sent again, since it may have been done), `WHARF_BACKPRESSURE`, and what `Link.send` throws.
   */
  call(event, data, options = {}) {
    return this.#calls.call(event, data, options);
  }
  /**
   * Answers such requests of the server with what the function returns. A `CallError` that it throws
   * is handed on; of any other error the server is told only that there was one.
   */
  answer(event, answer) {
    this.#answers.register(event, answer);
  }
  #receive(text) {
    const inbound = this.#envelope.read(text);
    switch (inbound.kind) {
      case "event":
        if (inbound.id !== void 0) this.#answers.answer(inbound.event, inbound.data, inbound.id);
        else this.#events.tell(inbound.event, inbound.data);
        break;
      case "reply":
        if (!this.#calls.wasMade(inbound.id)) return this.#tellMalformed(UNASKED);
        this.#calls.resolve(inbound.id, inbound.data);
        break;
      case "failure":
        if (inbound.id === null) return this.#told.tell("refused", CallError.of(inbound.failure));
        if (!this.#calls.wasMade(inbound.id)) return this.#tellMalformed(UNASKED);
        this.#calls.reject(inbound.id, CallError.of(inbound.failure));
        break;
      case "malformed":
        this.#tellMalformed(inbound.what);
        break;
      case "other":
        break;
    }
  }
  #tellMalformed(what) {
    this.#told.tell("malformed", new WharfError("WHARF_MALFORMED", what));
  }
};
var UNASKED = "a reply of the server belongs to no call";

// src/backoff.ts
var Backoff = class {
  stableMs;
  #baseMs;
  #capMs;
  #random;
  #waits = 0;
  constructor(options, random) {
    this.#baseMs = options.baseMs ?? 500;
    this.#capMs = options.capMs ?? 3e4;
    this.stableMs = options.stableMs ?? 1e4;
    this.#random = random;
  }
  /** A stable connection, or a fresh start. */
  reset() {
    this.#waits = 0;
  }
  /** The wait before the next dial. */
  wait() {
    const longestMs = Math.min(this.#capMs, this.#baseMs * 2 ** this.#waits);
    this.#waits += 1;
    return this.#random() * longestMs;
  }
  /** The wait when the network has just come back: short, but not the same for everyone. */
  shortWait() {
    return this.#random() * Math.min(this.#capMs, this.#baseMs);
  }
};

// src/clock.ts
var systemClock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  }
};

// src/liveness.ts
var Liveness = class {
  #options;
  #clock;
  #send;
  #dead;
  #cancel = () => {
  };
  #asked = false;
  #heardAt;
  constructor(options, clock, send, dead) {
    this.#options = options;
    this.#clock = clock;
    this.#send = send;
    this.#dead = dead;
    this.#heardAt = clock.now();
    this.#rest(this.#quietMs);
  }
  get #quietMs() {
    return this.#options.quietMs ?? 3e4;
  }
  /** A message came. Only notes the time: a timer for each message would cost more than it does. */
  heard() {
    this.#heardAt = this.#clock.now();
    if (!this.#asked) return;
    this.#asked = false;
    this.#rest(this.#quietMs);
  }
  /** Asks at once, because there is reason to doubt. */
  ask() {
    if (this.#asked) return;
    this.#cancel();
    this.#asked = true;
    this.#cancel = this.#clock.after(this.#options.answerMs ?? 1e4, this.#dead);
    const { probe } = this.#options;
    this.#send(typeof probe === "function" ? probe() : probe);
  }
  stop() {
    this.#cancel();
  }
  #rest(ms) {
    this.#cancel();
    this.#cancel = this.#clock.after(ms, () => {
      const left = this.#heardAt + this.#quietMs - this.#clock.now();
      if (left > 0) this.#rest(left);
      else this.ask();
    });
  }
};

// src/socket.ts
var OPEN = 1;
var encoder = new TextEncoder();
function payloadBytes(payload) {
  return typeof payload === "string" ? encoder.encode(payload).length : payload.byteLength;
}

// src/target.ts
async function resolveTarget(source, attempt, query) {
  const answer = typeof source === "function" ? await ask(source, attempt) : source;
  const target = typeof answer === "string" || answer instanceof URL ? { url: answer } : answer;
  const url = parse(target.url);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return { url: url.href, protocols: [...target.protocols ?? []] };
}
async function ask(source, attempt) {
  try {
    return await source(attempt);
  } catch (cause) {
    throw new WharfError("WHARF_TARGET", "the function that makes the URL failed; see `cause`", {
      cause
    });
  }
}
function parse(address) {
  let url;
  try {
    url = new URL(address, globalThis.location?.href);
  } catch {
    throw new WharfError(
      "WHARF_URL",
      "the address is not a URL; outside of a page it must be a whole one"
    );
  }
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw new WharfError("WHARF_URL", `the address begins with ${url.protocol}, use ws: or wss:`);
  }
  if (url.hash) {
    throw new WharfError(
      "WHARF_URL",
      "the address has a fragment (#…), which servers never see; take it away"
    );
  }
  return url;
}

// src/connection.ts
var Connection = class {
  #settings;
  #listener;
  #abort = new AbortController();
  #cancelDeadline;
  #socket;
  #liveness;
  #opened = false;
  #ended = false;
  constructor(settings, attempt, query, listener) {
    this.#settings = settings;
    this.#listener = listener;
    const { dialTimeoutMs } = settings;
    this.#cancelDeadline = settings.clock.after(
      dialTimeoutMs,
      () => this.#giveUp("WHARF_DIAL_TIMEOUT", `no connection within ${dialTimeoutMs} ms`)
    );
    resolveTarget(settings.source, { number: attempt, signal: this.#abort.signal }, query).then(
      ({ url, protocols }) => this.#dial(url, protocols),
      (error) => this.#end({ ...BROKEN, error })
    );
  }
  /** Bytes that were sent, but have not left the machine. */
  get bufferedBytes() {
    return this.#socket?.bufferedAmount ?? 0;
  }
  /** Whether what is sent has a chance. A socket whose peer has said goodbye swallows it in silence. */
  get isOpen() {
    return this.#socket?.readyState === OPEN;
  }
  /** Only once it is open. */
  send(payload) {
    this.#socket?.send(payload);
  }
  /** Doubts that the peer is still there. */
  doubt() {
    this.#liveness?.ask();
  }
  /** Says goodbye, and waits for the answer, but not for long. */
  close(code, reason) {
    if (!this.#opened || !this.#socket) return this.#end({ ...BROKEN, code, reason });
    this.#liveness?.stop();
    this.#socket.close(code, reason);
    const { closeTimeoutMs, clock } = this.#settings;
    this.#cancelDeadline = clock.after(
      closeTimeoutMs,
      () => this.#giveUp(
        "WHARF_CLOSE_TIMEOUT",
        `the peer did not answer the close within ${closeTimeoutMs} ms`
      )
    );
  }
  #dial(url, protocols) {
    if (this.#ended) return;
    let socket;
    try {
      socket = new this.#settings.WebSocket(url, protocols);
    } catch (cause) {
      const error = new WharfError(
        "WHARF_URL",
        "the socket takes neither this address nor these subprotocols",
        { cause }
      );
      return this.#end({ ...BROKEN, error });
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#open();
    socket.onmessage = ({ data }) => {
      this.#liveness?.heard();
      this.#listener.message(data);
    };
    socket.onclose = ({ code, reason, wasClean }) => this.#end({ code, reason, wasClean });
    socket.onerror = () => {
    };
  }
  #open() {
    this.#cancelDeadline();
    this.#opened = true;
    const { liveness, clock } = this.#settings;
    if (liveness) {
      const dead = () => this.#giveUp(
        "WHARF_HEARTBEAT_TIMEOUT",
        "the peer did not answer when asked for a sign of life"
      );
      this.#liveness = new Liveness(liveness, clock, (payload) => this.send(payload), dead);
    }
    this.#listener.opened();
  }
  #giveUp(code, message) {
    this.#end({ ...BROKEN, error: new WharfError(code, message) });
  }
  #end(end) {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelDeadline();
    this.#liveness?.stop();
    this.#abort.abort();
    if (this.#socket) letGo(this.#socket);
    this.#listener.ended({ ...end, opened: this.#opened });
  }
};
var BROKEN = { code: 1006, reason: "", wasClean: false };
var TIMEOUT_CODE = 3008;
function letGo(socket) {
  socket.onopen = socket.onmessage = socket.onclose = null;
  if (socket.readyState === OPEN) socket.close(TIMEOUT_CODE, "");
  else if (socket.readyState < OPEN) socket.close();
}

// src/network.ts
var systemNetwork = {
  // Elsewhere than in browsers `onLine` is not there, which must not read as "offline".
  isOnline: () => globalThis.navigator?.onLine !== false,
  watch(changed) {
    if (typeof globalThis.addEventListener !== "function") return () => {
    };
    globalThis.addEventListener("online", changed);
    globalThis.addEventListener("offline", changed);
    return () => {
      globalThis.removeEventListener("online", changed);
      globalThis.removeEventListener("offline", changed);
    };
  }
};
var alwaysOnline = {
  isOnline: () => true,
  watch: () => () => {
  }
};

// src/outcome.ts
var FINAL_CODES = /* @__PURE__ */ new Set([
  1e3,
  // the server is done
  1002,
  // this side broke the protocol
  1003,
  // this side sent a kind of data that the server does not take
  1007,
  // … or data that does not decode
  1009,
  // … or too much of it
  1010,
  // the server lacks an extension
  3e3,
  // unauthorized
  3003
  // forbidden
]);
function isFinalByDefault(ending) {
  if (ending.error) return ending.error.code === "WHARF_URL";
  if (ending.code === 1008) return !ending.stable;
  return FINAL_CODES.has(ending.code) || ending.code >= 4e3 && ending.code <= 4999;
}

// src/queue.ts
var SENT = { state: "sent", cancel: () => false };
var Queue = class {
  #maxBytes;
  #maxMessages;
  #waiting = /* @__PURE__ */ new Set();
  #bytes = 0;
  constructor(options) {
    this.#maxBytes = options.maxBytes ?? 1024 * 1024;
    this.#maxMessages = options.maxMessages ?? 1024;
  }
  /** Whether one more fits when `behindBytes` have left the queue but not the machine. */
  hasRoom(payload, behindBytes) {
    if (this.#waiting.size === 0 && behindBytes === 0) return true;
    return this.#waiting.size < this.#maxMessages && this.#bytes + behindBytes + payloadBytes(payload) <= this.#maxBytes;
  }
  push(payload) {
    const waiting = new Waiting(keep(payload), (gone) => this.#remove(gone));
    this.#waiting.add(waiting);
    this.#bytes += waiting.bytes;
    return waiting;
  }
  /** Takes everything out, oldest first. */
  drain(send) {
    for (const waiting of this.#waiting) {
      this.#remove(waiting);
      waiting.state = "sent";
      send(waiting.payload);
    }
  }
  /** Throws everything away. Returns how many messages that were. */
  drop() {
    const count = this.#waiting.size;
    for (const waiting of this.#waiting) waiting.cancel();
    return count;
  }
  #remove(waiting) {
    if (this.#waiting.delete(waiting)) this.#bytes -= waiting.bytes;
  }
};
var Waiting = class {
  state = "queued";
  payload;
  bytes;
  #leave;
  constructor(payload, leave) {
    this.payload = payload;
    this.bytes = payloadBytes(payload);
    this.#leave = leave;
  }
  cancel() {
    if (this.state !== "queued") return false;
    this.state = "dropped";
    this.#leave(this);
    return true;
  }
};
function keep(payload) {
  if (typeof payload === "string") return payload;
  return payload instanceof ArrayBuffer ? payload.slice(0) : new Uint8Array(payload);
}

// src/link.ts
var Link = class {
  #settings;
  #refusesWhileAway;
  #isFinal;
  #network;
  #backoff;
  #queue;
  #emitter = new Emitter();
  #state = "idle";
  #connection;
  #resumer;
  #connections = 0;
  #attempt = 0;
  #openedAt = 0;
  #cancelWait = () => {
  };
  #unwatch = () => {
  };
  #outcome;
  #closers = [];
  /** Does nothing until `open`, so that listeners can be added first. */
  constructor(options) {
    this.#settings = {
      source: options.url,
      WebSocket: options.WebSocket ?? globalSocket(),
      clock: options.clock ?? systemClock,
      dialTimeoutMs: options.dialTimeoutMs ?? 1e4,
      closeTimeoutMs: options.closeTimeoutMs ?? 5e3,
      liveness: options.liveness
    };
    this.#refusesWhileAway = options.whileAway === "refuse";
    this.#isFinal = options.isFinal ?? isFinalByDefault;
    this.#network = options.network ?? systemNetwork;
    this.#backoff = new Backoff(options.backoff ?? {}, options.random ?? Math.random);
    this.#queue = new Queue(options.queue ?? {});
  }
  /** What it is doing just now. */
  get state() {
    return this.#state;
  }
  /** The time by which this link lives; what sits on it should live by the same. */
  get clock() {
    return this.#settings.clock;
  }
  /** Calls the listener each time. Returns the function that ends it. */
  on(name, listener) {
    return this.#emitter.on(name, listener);
  }
  /** Leaves it to this one to know what was missed. There can be one. */
  resumeWith(resumer) {
    if (this.#resumer) {
      throw new WharfError(
        "WHARF_CONFIG",
        "a room sits on this link already; a second one needs a link of its own"
      );
    }
    this.#resumer = resumer;
  }
  /** Begins to dial. Does nothing if that has begun; a closed link begins anew. */
  open() {
    if (this.#state === "closing") {
      throw new WharfError(
        "WHARF_CLOSED",
        "the link is still closing; await `close()` before `open()`"
      );
    }
    if (this.#state !== "idle" && this.#state !== "closed") return;
    this.#backoff.reset();
    this.#attempt = 0;
    this.#unwatch = this.#network.watch(() => this.#networkChanged());
    if (this.#network.isOnline()) this.#dial();
    else this.#state = "waiting";
  }
  /**
   * Sends now, or as soon as there is a connection, in the order of the calls.
   *
   * Throws `WHARF_BACKPRESSURE` if it does not fit, `WHARF_AWAY` if there is no connection and the
   * policy is to refuse, `WHARF_CLOSED` once the link is closing.
   */
  send(payload) {
    if (this.#state === "closing" || this.#state === "closed") {
      throw new WharfError("WHARF_CLOSED", "the link is closed; `open()` begins anew");
    }
    const open = this.#connection?.isOpen ? this.#connection : void 0;
    if (!open && this.#refusesWhileAway) {
      throw new WharfError("WHARF_AWAY", "there is no connection; try again after `connected`");
    }
    if (!this.#queue.hasRoom(payload, open?.bufferedBytes ?? 0)) {
      throw new WharfError(
        "WHARF_BACKPRESSURE",
        `the queue has no room for ${payloadBytes(payload)} bytes more; send less, or allow more in \`queue\``
      );
    }
    if (!open) return this.#queue.push(payload);
    open.send(payload);
    return SENT;
  }
  /** Says goodbye and dials no more. Resolves with how it ended, at the latest after `closeTimeoutMs`. */
  close(code = 1e3, reason = "") {
    checkClose(code, reason);
    if (this.#state === "closed" && this.#outcome) return Promise.resolve(this.#outcome);
    const closed = new Promise((resolve) => this.#closers.push(resolve));
    if (this.#state === "closing") return closed;
    this.#state = "closing";
    if (this.#connection) this.#connection.close(code, reason);
    else this.#ended({ code, reason, wasClean: false, opened: false });
    return closed;
  }
  #dial() {
    this.#state = "dialling";
    this.#attempt += 1;
    this.#connection = new Connection(this.#settings, this.#attempt, this.#resumer?.query() ?? {}, {
      opened: () => this.#opened(),
      message: (data) => this.#emitter.tell("message", data),
      ended: (end) => this.#ended(end)
    });
  }
  #opened() {
    this.#state = "open";
    this.#openedAt = this.#settings.clock.now();
    this.#connections += 1;
    const again = this.#connections > 1;
    this.#queue.drain((payload) => this.#connection?.send(payload));
    this.#emitter.tell("connected", { again });
    if (again && !this.#resumer) this.#emitter.tell("gap", void 0);
  }
  #ended(end) {
    const stable = end.opened && this.#settings.clock.now() - this.#openedAt >= this.#backoff.stableMs;
    const ending = { ...end, stable, attempt: this.#attempt };
    this.#connection = void 0;
    if (this.#state === "closing" || this.#asksWhetherFinal(ending)) return this.#finish(ending);
    if (stable) {
      this.#backoff.reset();
      this.#attempt = 0;
    }
    this.#state = "waiting";
    const wait = this.#network.isOnline() ? { retryInMs: this.#backoff.wait() } : {};
    if (wait.retryInMs !== void 0) this.#dialIn(wait.retryInMs);
    this.#emitter.tell("disconnected", { ...ending, ...wait, final: false, dropped: 0 });
  }
  #asksWhetherFinal(ending) {
    try {
      return this.#isFinal(ending);
    } catch (error) {
      reportUncaught(error);
      return isFinalByDefault(ending);
    }
  }
  #finish(ending) {
    this.#cancelWait();
    this.#unwatch();
    this.#state = "closed";
    this.#outcome = { ...ending, final: true, dropped: this.#queue.drop() };
    const closers = this.#closers.splice(0);
    for (const resolve of closers) resolve(this.#outcome);
    this.#emitter.tell("disconnected", this.#outcome);
  }
  #dialIn(ms) {
    this.#cancelWait();
    this.#cancelWait = this.#settings.clock.after(ms, () => this.#dial());
  }
  #networkChanged() {
    if (this.#state === "open") this.#connection?.doubt();
    if (this.#state !== "waiting") return;
    if (this.#network.isOnline()) this.#dialIn(this.#backoff.shortWait());
    else this.#cancelWait();
  }
};
function globalSocket() {
  if (typeof globalThis.WebSocket === "function") return globalThis.WebSocket;
  throw new WharfError(
    "WHARF_CONFIG",
    "there is no global WebSocket (Node has one since version 22): hand over the class of npm `ws` as `WebSocket`"
  );
}
function checkClose(code, reason) {
  if (code !== 1e3 && !(code >= 3e3 && code <= 4999)) {
    throw new WharfError(
      "WHARF_CLOSE_CODE",
      `a client may not close with ${code}; use 1000, or 3000 to 4999`
    );
  }
  if (payloadBytes(reason) > MAX_REASON_BYTES) {
    throw new WharfError(
      "WHARF_CLOSE_REASON",
      `a close reason may have ${MAX_REASON_BYTES} bytes, as UTF-8`
    );
  }
}
var MAX_REASON_BYTES = 123;

// src/position.ts
var MAX_LENGTH = 256;
function isPosition(value) {
  return typeof value === "string" && value.length <= MAX_LENGTH && /^[^:]+:\d+$/.test(value);
}
function isHeard(position, last) {
  if (last === void 0) return false;
  const [epoch, offset] = position.split(":");
  const [lastEpoch, lastOffset] = last.split(":");
  return epoch === lastEpoch && BigInt(offset ?? 0) <= BigInt(lastOffset ?? 0);
}

// src/room.ts
var Room = class {
  #emitter = new Emitter();
  #position;
  /** The last dial asked to resume. */
  #asked = false;
  /** This client was here before, and the server has not yet said whether it missed anything. */
  #isUnsettled = false;
  constructor(link, options = {}) {
    if (options.since !== void 0 && !isPosition(options.since)) {
      throw new WharfError(
        "WHARF_CONFIG",
        "`since` is no position; hand over what `room.position` was, or nothing"
      );
    }
    this.#position = options.since;
    link.resumeWith({ query: () => this.#query() });
    link.on("connected", ({ again }) => {
      this.#isUnsettled = again || this.#asked;
    });
    link.on("message", (data) => {
      if (typeof data === "string") this.#receive(data);
    });
  }
  /** Behind the last message that was told. Worth keeping, see `since`. */
  get position() {
    return this.#position;
  }
  /** Calls the listener each time. Returns the function that ends it. */
  on(name, listener) {
    return this.#emitter.on(name, listener);
  }
  #query() {
    this.#asked = this.#position !== void 0;
    return this.#position === void 0 ? {} : { since: this.#position };
  }
  #receive(text) {
    const value = parseObject(text);
    if (!value) return this.#malformed("a text of the server is not a JSON object");
    if ("message" in value) return this.#hear(value);
    const { welcome, gap } = value;
    if (welcome !== void 0) {
      return isWelcome(welcome) ? this.#enter(welcome) : this.#malformed(shapeOf("welcome"));
    }
    if (gap !== void 0) {
      return isGap(gap) ? this.#emitter.tell("gap", gap) : this.#malformed(shapeOf("gap"));
    }
    for (const [field, name] of PRESENCE) {
      const member = value[field];
      if (member === void 0) continue;
      return isMember(member) ? this.#emitter.tell(name, member) : this.#malformed(shapeOf(field));
    }
    this.#emitter.tell("other", value);
  }
  #enter(welcome) {
    const resumed = this.#asked && welcome.resumed === true;
    if (!resumed) this.#position = welcome.position;
    this.#settle(resumed);
    this.#emitter.tell("welcome", welcome);
  }
  #hear({ message, position }) {
    this.#settle(false);
    if (position === void 0)
      return this.#emitter.tell("message", { message });
    if (!isPosition(position)) return this.#malformed(shapeOf("position"));
    if (isHeard(position, this.#position)) return;
    this.#position = position;
    this.#emitter.tell("message", { message, position });
  }
  #settle(resumed) {
    const missed = this.#isUnsettled && !resumed;
    this.#isUnsettled = false;
    if (missed) this.#emitter.tell("gap", { messages: null });
  }
  #malformed(what) {
    this.#emitter.tell("malformed", new WharfError("WHARF_MALFORMED", what));
  }
};
var PRESENCE = [
  ["joined", "joined"],
  ["changed", "changed"],
  ["renamed", "changed"],
  ["left", "left"]
];
var shapeOf = (name) => `the server's "${name}" has another shape than agreed`;
function isWelcome(value) {
  if (!isObject(value)) return false;
  const { session, node, resumed, position } = value;
  return isOptional("string", session) && isOptional("string", node) && isOptional("boolean", resumed) && (position === void 0 || isPosition(position));
}
function isGap(value) {
  return isObject(value) && (value["messages"] === null || typeof value["messages"] === "number");
}
function isMember(value) {
  return isObject(value) && typeof value["session"] === "string";
}
export {
  CallError,
  Events,
  Link,
  Room,
  WharfError,
  alwaysOnline,
  isFinalByDefault
};
