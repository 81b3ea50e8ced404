import { reportUncaught } from "./error.js";

/** Tells listeners by name. One that throws neither stops the others nor the one who tells. */
export class Emitter<Told extends object> {
  readonly #listeners = new Map<keyof Told, Set<(value: never) => void>>();

  /** Calls the listener each time. Returns the function that ends it. */
  on<Name extends keyof Told>(name: Name, listener: (value: Told[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // Wrapped, so that a function that is added twice can be taken away twice.
    const own = (value: Told[Name]): void => listener(value);
    listeners.add(own);
    return () => {
      listeners.delete(own);
    };
  }

  tell<Name extends keyof Told>(name: Name, value: Told[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (value: Told[Name]) => void)(value);
      } catch (error) {
        reportUncaught(error);
      }
    }
  }
}
