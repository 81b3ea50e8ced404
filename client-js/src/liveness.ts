import type { Clock } from "./clock.js";
import type { Payload } from "./socket.js";

/**
 * A page cannot ping. A server that is gone without a word is noticed by asking it for anything:
 * whatever it sends, to whomever, says that it lives.
 */
export interface LivenessOptions {
  /** Ask after this long without a message. Default 30,000. */
  readonly quietMs?: number;
  /** Give up when nothing came this long after asking. Default 10,000. */
  readonly answerMs?: number;
  /** What to ask: a message that the server answers, with an error if need be. */
  readonly probe: Payload | (() => Payload);
}

/** Watches one connection. */
export class Liveness {
  readonly #options: LivenessOptions;
  readonly #clock: Clock;
  readonly #send: (payload: Payload) => void;
  readonly #dead: () => void;
  #cancel = (): void => {};
  #asked = false;
  #heardAt: number;

  constructor(
    options: LivenessOptions,
    clock: Clock,
    send: (payload: Payload) => void,
    dead: () => void,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#send = send;
    this.#dead = dead;
    this.#heardAt = clock.now();
    this.#rest(this.#quietMs);
  }

  get #quietMs(): number {
    return this.#options.quietMs ?? 30_000;
  }

  /** A message came. Only notes the time: a timer for each message would cost more than it does. */
  heard(): void {
    this.#heardAt = this.#clock.now();
    if (!this.#asked) return;
    this.#asked = false;
    this.#rest(this.#quietMs);
  }

  /** Asks at once, because there is reason to doubt. */
  ask(): void {
    if (this.#asked) return;
    this.#cancel();
    this.#asked = true;
    this.#cancel = this.#clock.after(this.#options.answerMs ?? 10_000, this.#dead);
    const { probe } = this.#options;
    this.#send(typeof probe === "function" ? probe() : probe);
  }

  stop(): void {
    this.#cancel();
  }

  #rest(ms: number): void {
    this.#cancel();
    this.#cancel = this.#clock.after(ms, () => {
      const left = this.#heardAt + this.#quietMs - this.#clock.now();
      if (left > 0) this.#rest(left);
      else this.ask();
    });
  }
}
