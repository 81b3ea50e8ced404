import type { Envelope, Failure } from "./envelope.js";
import { WharfError } from "./error.js";
import type { Link } from "./link.js";
import type { Delivery } from "./queue.js";

export interface CallOptions {
  /** From the call on, the time in the queue included. */
  readonly timeoutMs?: number;
  /** Gives the call up; it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The other side refused, or failed. Thrown by an answering function, it is what the server is told. */
export class CallError extends Error implements Failure {
  /** From what came over the wire. */
  static of({ code, message, issues }: Failure): CallError {
    return new CallError(code, message, issues);
  }

  override readonly name = "CallError";
  readonly code: string;
  readonly issues?: readonly unknown[];

  constructor(code: string, message: string, issues?: readonly unknown[]) {
    super(message);
    this.code = code;
    if (issues) this.issues = issues;
  }
}

interface Pending {
  readonly delivery: Delivery;
  resolve(data: unknown): void;
  reject(error: unknown): void;
}

/** Calls that wait for their reply. */
export class PendingCalls {
  readonly #link: Link;
  readonly #envelope: Envelope;
  readonly #timeoutMs: number;
  readonly #max: number;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(link: Link, envelope: Envelope, timeoutMs: number, max: number) {
    this.#link = link;
    this.#envelope = envelope;
    this.#timeoutMs = timeoutMs;
    this.#max = max;
    link.on("disconnected", () => this.#disconnected());
  }

  async call(
    event: string,
    data: unknown,
    { timeoutMs = this.#timeoutMs, signal }: CallOptions,
  ): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#pending.size >= this.#max) {
      throw new WharfError(
        "WHARF_BACKPRESSURE",
        `${this.#max} calls wait for their reply; await some before the next`,
      );
    }
    const id = ++this.#lastId;
    const delivery = this.#link.send(this.#envelope.event(event, data, id));
    let letGo = (): void => {};
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { delivery, resolve, reject });
        const late = new WharfError(
          "WHARF_REPLY_TIMEOUT",
          `no reply to "${event}" within ${timeoutMs} ms`,
        );
        const cancelTimer = this.#link.clock.after(timeoutMs, () => reject(late));
        const aborted = (): void => reject(signal?.reason);
        signal?.addEventListener("abort", aborted);
        letGo = () => {
          cancelTimer();
          signal?.removeEventListener("abort", aborted);
        };
      });
    } finally {
      letGo();
      this.#pending.delete(id);
      // Given up while it still waits for a connection, it must not be done later.
      delivery.cancel();
    }
  }

  /** Whether there ever was such a call. A reply that comes too late is no mistake of the server. */
  wasMade(id: number): boolean {
    return id >= 1 && id <= this.#lastId;
  }

  resolve(id: number, data: unknown): void {
    this.#pending.get(id)?.resolve(data);
  }

  reject(id: number, error: CallError): void {
    this.#pending.get(id)?.reject(error);
  }

  /** Those that are queued go on waiting, unless the queue was thrown away. */
  #disconnected(): void {
    for (const { delivery, reject } of this.#pending.values()) {
      if (delivery.state === "sent") {
        reject(
          new WharfError(
            "WHARF_DISCONNECTED",
            "the connection broke before the reply: the call may have been done",
          ),
        );
      } else if (delivery.state === "dropped") {
        reject(
          new WharfError(
            "WHARF_CLOSED",
            "the link was closed before the call was sent: it was not done",
          ),
        );
      }
    }
  }
}
