import { payloadBytes, type Payload } from "./socket.js";

/** How much may wait to be sent. */
export interface QueueOptions {
  /** Payload bytes. Default 1 MiB. A message that is larger is taken when nothing else waits. */
  readonly maxBytes?: number;
  /** Messages. Default 1024. */
  readonly maxMessages?: number;
}

/** What became of a message that was handed to the link. */
export interface Delivery {
  /** `sent` means handed to the socket, not that it arrived: only a reply says that. */
  readonly state: "queued" | "sent" | "dropped";
  /** Takes a message out of the queue again. False if it is there no more. */
  cancel(): boolean;
}

/** The delivery of a message that never waited. */
export const SENT: Delivery = { state: "sent", cancel: () => false };

/** What waits for a connection: first in, first out, bounded. */
export class Queue {
  readonly #maxBytes: number;
  readonly #maxMessages: number;
  readonly #waiting = new Set<Waiting>();
  #bytes = 0;

  constructor(options: QueueOptions) {
    this.#maxBytes = options.maxBytes ?? 1024 * 1024;
    this.#maxMessages = options.maxMessages ?? 1024;
  }

  /** Whether one more fits when `behindBytes` have left the queue but not the machine. */
  hasRoom(payload: Payload, behindBytes: number): boolean {
    if (this.#waiting.size === 0 && behindBytes === 0) return true;
    return (
      this.#waiting.size < this.#maxMessages &&
      this.#bytes + behindBytes + payloadBytes(payload) <= this.#maxBytes
    );
  }

  push(payload: Payload): Delivery {
    const waiting = new Waiting(keep(payload), (gone) => this.#remove(gone));
    this.#waiting.add(waiting);
    this.#bytes += waiting.bytes;
    return waiting;
  }

  /** Takes everything out, oldest first. */
  drain(send: (payload: Payload) => void): void {
    for (const waiting of this.#waiting) {
      this.#remove(waiting);
      waiting.state = "sent";
      send(waiting.payload);
    }
  }

  /** Throws everything away. Returns how many messages that were. */
  drop(): number {
    const count = this.#waiting.size;
    for (const waiting of this.#waiting) waiting.cancel();
    return count;
  }

  #remove(waiting: Waiting): void {
    if (this.#waiting.delete(waiting)) this.#bytes -= waiting.bytes;
  }
}

class Waiting implements Delivery {
  state: Delivery["state"] = "queued";
  readonly payload: Payload;
  readonly bytes: number;
  readonly #leave: (waiting: Waiting) => void;

  constructor(payload: Payload, leave: (waiting: Waiting) => void) {
    this.payload = payload;
    this.bytes = payloadBytes(payload);
    this.#leave = leave;
  }

  cancel(): boolean {
    if (this.state !== "queued") return false;
    this.state = "dropped";
    this.#leave(this);
    return true;
  }
}

/** The caller may use its buffer for something else before the message leaves. */
function keep(payload: Payload): Payload {
  if (typeof payload === "string") return payload;
  // Not `slice` for both: that of Node's Buffer copies nothing.
  return payload instanceof ArrayBuffer ? payload.slice(0) : new Uint8Array(payload);
}
