/** How long to wait between two dials. */
export interface BackoffOptions {
  /** The first wait is a random time up to this, and each next one up to twice as long. Default 500. */
  readonly baseMs?: number;
  /** No wait is longer than this. Default 30,000. */
  readonly capMs?: number;
  /** A connection that lasted this long counts as good, and the waits begin anew. Default 10,000. */
  readonly stableMs?: number;
}

/**
 * Exponential backoff with full jitter: clients that lost the same server come back spread over the
 * whole wait, not together.
 */
export class Backoff {
  readonly stableMs: number;
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #random: () => number;
  #waits = 0;

  constructor(options: BackoffOptions, random: () => number) {
    this.#baseMs = options.baseMs ?? 500;
    this.#capMs = options.capMs ?? 30_000;
    this.stableMs = options.stableMs ?? 10_000;
    this.#random = random;
  }

  /** A stable connection, or a fresh start. */
  reset(): void {
    this.#waits = 0;
  }

  /** The wait before the next dial. */
  wait(): number {
    const longestMs = Math.min(this.#capMs, this.#baseMs * 2 ** this.#waits);
    this.#waits += 1;
    return this.#random() * longestMs;
  }

  /** The wait when the network has just come back: short, but not the same for everyone. */
  shortWait(): number {
    return this.#random() * Math.min(this.#capMs, this.#baseMs);
  }
}
