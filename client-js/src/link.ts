import { Backoff, type BackoffOptions } from "./backoff.js";
import { systemClock, type Clock } from "./clock.js";
import { Connection, type ConnectionSettings, type End } from "./connection.js";
import { Emitter } from "./emitter.js";
import { reportUncaught, WharfError } from "./error.js";
import type { LivenessOptions } from "./liveness.js";
import { systemNetwork, type Network } from "./network.js";
import { isFinalByDefault, type Ending, type Outcome } from "./outcome.js";
import { Queue, SENT, type Delivery, type QueueOptions } from "./queue.js";
import { payloadBytes, type Payload, type SocketConstructor } from "./socket.js";
import type { TargetSource } from "./target.js";

/** How a link behaves. Only `url` has no default. */
export interface LinkOptions {
  /** Where to dial; a function is asked anew for each dial, so that tokens are fresh. */
  readonly url: TargetSource;
  /** The socket's class. Default: the global one, which Node has since version 22. */
  readonly WebSocket?: SocketConstructor;
  /** How long to wait between dials. */
  readonly backoff?: BackoffOptions;
  /** What may wait while there is no connection; with one, what its socket may hold back. */
  readonly queue?: QueueOptions;
  /** What `send` does while there is no connection. Default: `queue`. */
  readonly whileAway?: "queue" | "refuse";
  /**
   * Whether to dial no more after this. Default: `isFinalByDefault`. What the function that makes the
   * URL threw ("logged out", say) is `error.cause`.
   */
  readonly isFinal?: (ending: Ending) => boolean;
  /** For the function that makes the URL and the connection together. Default 10,000. */
  readonly dialTimeoutMs?: number;
  /** How long `close` waits for the server's goodbye. Default 5,000. */
  readonly closeTimeoutMs?: number;
  /** How to notice a server that is gone without a word. Default: the system does, in its own time. */
  readonly liveness?: LivenessOptions;
  /** Default: what the browser knows of its network. */
  readonly network?: Network;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** From 0 up to 1. Default: `Math.random`. */
  readonly random?: () => number;
}

/**
 * `idle` until opened; then `dialling`, `open`, and `waiting` between connections; `closing` and
 * `closed` in the end.
 */
export type LinkState = "idle" | "waiting" | "dialling" | "open" | "closing" | "closed";

/** What a link tells. */
export interface LinkEvents {
  /** There is a connection. What was queued has been handed to it already. */
  connected: {
    /** It is not the link's first. */
    readonly again: boolean;
  };
  /** A connection, or the try to get one, has ended. */
  disconnected: Outcome;
  /**
   * There is a connection again, and what the server sent in between is lost. Not told when
   * something on this link (a room) finds out by itself whether anything was missed.
   */
  gap: void;
  /** What the server sent, text or bytes. */
  message: string | ArrayBuffer;
}

/** Knows where it was, and tells the server at each dial. */
export interface Resumer {
  /** Parameters for the URL's query. */
  query(): Readonly<Record<string, string>>;
}

/** Stays connected to a server, and says when it was not. */
export class Link {
  readonly #settings: ConnectionSettings;
  readonly #refusesWhileAway: boolean;
  readonly #isFinal: (ending: Ending) => boolean;
  readonly #network: Network;
  readonly #backoff: Backoff;
  readonly #queue: Queue;
  readonly #emitter = new Emitter<LinkEvents>();
  #state: LinkState = "idle";
  #connection: Connection | undefined;
  #resumer: Resumer | undefined;
  #connections = 0;
  #attempt = 0;
  #openedAt = 0;
  #cancelWait = (): void => {};
  #unwatch = (): void => {};
  #outcome: Outcome | undefined;
  #closers: ((outcome: Outcome) => void)[] = [];

  /** Does nothing until `open`, so that listeners can be added first. */
  constructor(options: LinkOptions) {
    this.#settings = {
      source: options.url,
      WebSocket: options.WebSocket ?? globalSocket(),
      clock: options.clock ?? systemClock,
      dialTimeoutMs: options.dialTimeoutMs ?? 10_000,
      closeTimeoutMs: options.closeTimeoutMs ?? 5_000,
      liveness: options.liveness,
    };
    this.#refusesWhileAway = options.whileAway === "refuse";
    this.#isFinal = options.isFinal ?? isFinalByDefault;
    this.#network = options.network ?? systemNetwork;
    this.#backoff = new Backoff(options.backoff ?? {}, options.random ?? Math.random);
    this.#queue = new Queue(options.queue ?? {});
  }

  /** What it is doing just now. */
  get state(): LinkState {
    return this.#state;
  }

  /** The time by which this link lives; what sits on it should live by the same. */
  get clock(): Clock {
    return this.#settings.clock;
  }

  /** Calls the listener each time. Returns the function that ends it. */
  on<Name extends keyof LinkEvents>(
    name: Name,
    listener: (value: LinkEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Leaves it to this one to know what was missed. There can be one. */
  resumeWith(resumer: Resumer): void {
    if (this.#resumer) {
      throw new WharfError(
        "WHARF_CONFIG",
        "a room sits on this link already; a second one needs a link of its own",
      );
    }
    this.#resumer = resumer;
  }

  /** Begins to dial. Does nothing if that has begun; a closed link begins anew. */
  open(): void {
    if (this.#state === "closing") {
      throw new WharfError(
        "WHARF_CLOSED",
        "the link is still closing; await `close()` before `open()`",
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
  send(payload: Payload): Delivery {
    if (this.#state === "closing" || this.#state === "closed") {
      throw new WharfError("WHARF_CLOSED", "the link is closed; `open()` begins anew");
    }
    const open = this.#connection?.isOpen ? this.#connection : undefined;
    if (!open && this.#refusesWhileAway) {
      throw new WharfError("WHARF_AWAY", "there is no connection; try again after `connected`");
    }
    if (!this.#queue.hasRoom(payload, open?.bufferedBytes ?? 0)) {
      throw new WharfError(
        "WHARF_BACKPRESSURE",
        `the queue has no room for ${payloadBytes(payload)} bytes more; send less, or allow more in \`queue\``,
      );
    }
    if (!open) return this.#queue.push(payload);
    open.send(payload);
    return SENT;
  }

  /** Says goodbye and dials no more. Resolves with how it ended, at the latest after `closeTimeoutMs`. */
  close(code = 1000, reason = ""): Promise<Outcome> {
    checkClose(code, reason);
    if (this.#state === "closed" && this.#outcome) return Promise.resolve(this.#outcome);
    const closed = new Promise<Outcome>((resolve) => this.#closers.push(resolve));
    if (this.#state === "closing") return closed;
    this.#state = "closing";
    if (this.#connection) this.#connection.close(code, reason);
    else this.#ended({ code, reason, wasClean: false, opened: false });
    return closed;
  }

  #dial(): void {
    this.#state = "dialling";
    this.#attempt += 1;
    this.#connection = new Connection(this.#settings, this.#attempt, this.#resumer?.query() ?? {}, {
      opened: () => this.#opened(),
      message: (data) => this.#emitter.tell("message", data),
      ended: (end) => this.#ended(end),
    });
  }

  #opened(): void {
    this.#state = "open";
    this.#openedAt = this.#settings.clock.now();
    this.#connections += 1;
    const again = this.#connections > 1;
    this.#queue.drain((payload) => this.#connection?.send(payload));
    this.#emitter.tell("connected", { again });
    if (again && !this.#resumer) this.#emitter.tell("gap", undefined);
  }

  #ended(end: End): void {
    const stable =
      end.opened && this.#settings.clock.now() - this.#openedAt >= this.#backoff.stableMs;
    const ending: Ending = { ...end, stable, attempt: this.#attempt };
    this.#connection = undefined;
    if (this.#state === "closing" || this.#asksWhetherFinal(ending)) return this.#finish(ending);
    if (stable) {
      this.#backoff.reset();
      this.#attempt = 0;
    }
    this.#state = "waiting";
    const wait = this.#network.isOnline() ? { retryInMs: this.#backoff.wait() } : {};
    if (wait.retryInMs !== undefined) this.#dialIn(wait.retryInMs);
    this.#emitter.tell("disconnected", { ...ending, ...wait, final: false, dropped: 0 });
  }

  #asksWhetherFinal(ending: Ending): boolean {
    try {
      return this.#isFinal(ending);
    } catch (error) {
      reportUncaught(error);
      return isFinalByDefault(ending);
    }
  }

  #finish(ending: Ending): void {
    this.#cancelWait();
    this.#unwatch();
    this.#state = "closed";
    this.#outcome = { ...ending, final: true, dropped: this.#queue.drop() };
    const closers = this.#closers.splice(0);
    for (const resolve of closers) resolve(this.#outcome);
    this.#emitter.tell("disconnected", this.#outcome);
  }

  #dialIn(ms: number): void {
    this.#cancelWait();
    this.#cancelWait = this.#settings.clock.after(ms, () => this.#dial());
  }

  #networkChanged(): void {
    // A connection may outlive a change of the network, but cannot be relied on.
    if (this.#state === "open") this.#connection?.doubt();
    if (this.#state !== "waiting") return;
    if (this.#network.isOnline()) this.#dialIn(this.#backoff.shortWait());
    else this.#cancelWait();
  }
}

function globalSocket(): SocketConstructor {
  if (typeof globalThis.WebSocket === "function") return globalThis.WebSocket;
  throw new WharfError(
    "WHARF_CONFIG",
    "there is no global WebSocket (Node has one since version 22): hand over the class of npm `ws` as `WebSocket`",
  );
}

/** What the web's `close` checks, too, but only while there is a connection. */
function checkClose(code: number, reason: string): void {
  if (code !== 1000 && !(code >= 3000 && code <= 4999)) {
    throw new WharfError(
      "WHARF_CLOSE_CODE",
      `a client may not close with ${code}; use 1000, or 3000 to 4999`,
    );
  }
  if (payloadBytes(reason) > MAX_REASON_BYTES) {
    throw new WharfError(
      "WHARF_CLOSE_REASON",
      `a close reason may have ${MAX_REASON_BYTES} bytes, as UTF-8`,
    );
  }
}

const MAX_REASON_BYTES = 123;
