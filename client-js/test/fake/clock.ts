import type { Clock } from "../../src/clock.js";

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Time that passes when it is told to. */
export class FakeClock implements Clock {
  #now = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** How long until the next timer; `undefined` if there is none. */
  get next(): number | undefined {
    const first = this.#first();
    return first && first.at - this.#now;
  }

  /** Lets this much time pass; what is due runs in its order, and so do promises in between. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (let timer = this.#first(); timer && timer.at <= end; timer = this.#first()) {
      this.#now = timer.at;
      this.#timers.delete(timer);
      timer.run();
      await settled();
    }
    this.#now = end;
  }

  #first(): Timer | undefined {
    return [...this.#timers].sort((a, b) => a.at - b.at)[0];
  }
}

/** Every promise that can go on has gone on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
