/** Time, as the link needs it. Given by tests that do not want to wait. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Runs the function once, later. Returns what takes that back. */
  after(ms: number, run: () => void): () => void;
}

/** The time of the browser, or of Node. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
